// Icons, drawn on a 16 by 16 grid in the colour of the text. They are decoration: words stand beside them.
import type { State } from '../api/types'

const paths = {
  succeeded: 'M3.5 8.5l3 3 6-7',
  failed: 'M4.5 4.5l7 7m0-7l-7 7',
  running: 'M8 2.5a5.5 5.5 0 1 1-5.5 5.5',
  pending: 'M8 4.5V8l2.2 1.6M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0z',
  canceled: 'M5 5h6v6H5z',
  skipped: 'M3.5 4.5L7 8l-3.5 3.5m5-7L12 8l-3.5 3.5',
  cached: 'M9 1.8L4 9h3.6L7 14.2 12 7H8.4z',
  pause: 'M5.5 3.5v9m5-9v9',
  play: 'M5 3.2l7.5 4.8L5 12.8z',
  chevron: 'M6 4l4 4-4 4',
  close: 'M4 4l8 8m0-8l-8 8',
  copy: 'M6 6V3h7v7h-3M3 6h7v7H3z',
  check: 'M3.5 8.5l3 3 6-7',
  download: 'M8 2.5v7m-3-3l3 3 3-3M3 13h10',
  back: 'M10 3.5L5.5 8 10 12.5',
  up: 'M4 10l4-4 4 4',
  down: 'M4 6l4 4 4-4',
  sun: 'M8 5.2a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 0 1 0-5.6zM8 1v1.6m0 10.8V15M1 8h1.6m10.8 0H15M3 3l1.2 1.2m7.6 7.6L13 13m0-10l-1.2 1.2m-7.6 7.6L3 13',
  moon: 'M13 9.6A5.5 5.5 0 0 1 6.4 3a5.5 5.5 0 1 0 6.6 6.6z',
  auto: 'M8 2.5a5.5 5.5 0 1 1 0 11zM8 2.5a5.5 5.5 0 1 0 0 11',
  plus: 'M8 3.5v9M3.5 8h9',
  minus: 'M3.5 8h9',
  fit: 'M3 6V3h3m4 0h3v3m0 4v3h-3m-4 0H3v-3',
  turn: 'M3 5h7.5a2.5 2.5 0 0 1 2.5 2.5V13m-2.5-2.5L13 13l2-2.5M5.5 2.5L3 5l2.5 2.5',
  loop: 'M12.5 5.5A5 5 0 0 0 3.5 6M3.5 10.5a5 5 0 0 0 9-.5M13 2.5v3h-3M3 13.5v-3h3',
  group: 'M3 3h10v10H3zM3 6.5h10',
  external: 'M6.5 3H3v10h10V9.5M9 3h4v4M13 3L7.5 8.5',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  folder: 'M2 4h4.5l1.5 2H14v7H2z',
  file: 'M4 2h5l3 3v9H4zM9 2v3h3',
  data: 'M3 4.2c0-1 2.2-1.7 5-1.7s5 .7 5 1.7-2.2 1.7-5 1.7-5-.7-5-1.7zM3 4.2v7.6c0 1 2.2 1.7 5 1.7s5-.7 5-1.7V4.2M3 8c0 1 2.2 1.7 5 1.7s5-.7 5-1.7',
  model: 'M8 2l5.2 3v6L8 14l-5.2-3V5zM2.8 5L8 8l5.2-3M8 8v6',
  step: 'M3 3h10v10H3zM6.5 5.8v4.4L10.2 8z',
  warning: 'M8 2.5L14 13H2zM8 6.5v3m0 1.6v.4',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={paths[name]} fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  )
}

const stateIcons: Record<State, IconName> = {
  PENDING: 'pending',
  RUNNING: 'running',
  CANCELING: 'canceled',
  SUCCEEDED: 'succeeded',
  SKIPPED: 'skipped',
  FAILED: 'failed',
  CANCELED: 'canceled',
}

export function stateIcon(state: State): IconName {
  return stateIcons[state]
}
