// Icons, drawn on a 16 by 16 grid in the colour of the text. They are decoration: words stand beside them.
import type { State } from '../api/types'

const paths = {
  home: 'M2.5 7.5L8 3l5.5 4.5M4 6.8V13h3V9.5h2V13h3V6.8',
  runs: 'M2.5 4h4m-4 4h4m-4 4h4M9 5l5 3-5 3z',
  pipeline: 'M2.5 6.2h3.6v3.6H2.5zM10 2.5h3.5V6H10zM10 10h3.5v3.5H10zM6.1 8H8m0-3.7h2M8 11.7h2M8 4.3v7.4',
  flask: 'M6 2.5h4M6.7 2.5v4L3 12.2a.9.9 0 0 0 .8 1.3h8.4a.9.9 0 0 0 .8-1.3L9.3 6.5v-4M4.8 10h6.4',
  model: 'M8 2l5.5 3v6L8 14l-5.5-3V5zM2.5 5L8 8l5.5-3M8 8v6',
  endpoint: 'M2.5 8h4m3 0h4M6.5 8a1.5 1.5 0 1 0 3 0 1.5 1.5 0 0 0-3 0zM4.5 3.5a6 6 0 0 1 7 0M4.5 12.5a6 6 0 0 0 7 0',
  artifact: 'M2.5 5.5h11V13h-11zM2.5 5.5L4 3h8l1.5 2.5M6.5 8h3',
  tag: 'M2.5 3h5.2L14 9.3 9.3 14 2.5 7.7zM5.2 5.6h.01',
  system: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  search: 'M7 2.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4zM10.2 10.2l3.3 3.3',
  menu: 'M2.5 4.5h11M2.5 8h11m-11 3.5h11',
  sidebar: 'M2.5 3h11v10h-11zM6.2 3v10',
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
  critical: 'M8 2.5L13.5 8 8 13.5 2.5 8zM5.5 8h5',
  turn: 'M3 5h7.5a2.5 2.5 0 0 1 2.5 2.5V13m-2.5-2.5L13 13l2-2.5M5.5 2.5L3 5l2.5 2.5',
  loop: 'M12.5 5.5A5 5 0 0 0 3.5 6M3.5 10.5a5 5 0 0 0 9-.5M13 2.5v3h-3M3 13.5v-3h3',
  trigger: 'M8 2v3M8 11v3M2 8h3M11 8h3M3.8 3.8l2 2M10.2 10.2l2 2M12.2 3.8l-2 2M5.8 10.2l-2 2',
  message: 'M2.5 3.5h11v8H7l-3 2.5v-2.5H2.5z',
  group: 'M3 3h10v10H3zM3 6.5h10',
  external: 'M6.5 3H3v10h10V9.5M9 3h4v4M13 3L7.5 8.5',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  folder: 'M2 4h4.5l1.5 2H14v7H2z',
  file: 'M4 2h5l3 3v9H4zM9 2v3h3',
  data: 'M3 4.2c0-1 2.2-1.7 5-1.7s5 .7 5 1.7-2.2 1.7-5 1.7-5-.7-5-1.7zM3 4.2v7.6c0 1 2.2 1.7 5 1.7s5-.7 5-1.7V4.2M3 8c0 1 2.2 1.7 5 1.7s5-.7 5-1.7',
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
