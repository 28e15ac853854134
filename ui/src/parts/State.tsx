import type { ReactNode } from 'react'
import type { State as StateName } from '../api/types'
import type { Counts } from '../graph/tree'
import { Icon, stateIcon } from './icons'
import css from './State.module.css'

const words: Record<StateName, string> = {
  PENDING: 'Pending',
  RUNNING: 'Running',
  CANCELING: 'Canceling',
  SUCCEEDED: 'Succeeded',
  SKIPPED: 'Skipped',
  FAILED: 'Failed',
  CANCELED: 'Canceled',
}

export function stateWord(state: StateName): string {
  return words[state]
}

/** The class that sets --state and --state-soft to the colours of a state. */
export function stateClass(state: StateName): string {
  return css[state] ?? ''
}

export function StateIcon({ state }: { state: StateName }) {
  return (
    <span className={`${css.icon} ${stateClass(state)}`}>
      <span className={state === 'RUNNING' ? css.spin : undefined}>
        <Icon name={stateIcon(state)} />
      </span>
    </span>
  )
}

/** A state as icon, word and colour; word takes the place of the usual one. */
export function State({ state, large = false, word }: { state: StateName; large?: boolean; word?: string }) {
  return (
    <span className={`${css.state} ${stateClass(state)} ${large ? css.large : ''}`} data-state={state}>
      <StateIcon state={state} />
      {word ?? words[state]}
    </span>
  )
}

/** The mark of a reused result; brief shows only the sign. */
export function Cached({ children = 'Cached', brief = false }: { children?: ReactNode; brief?: boolean }) {
  return (
    <span className={css.cached} title={brief ? 'Cached' : undefined}>
      <Icon name="cached" size={13} />
      <span className={brief ? 'visually-hidden' : undefined}>{children}</span>
    </span>
  )
}

const order: readonly StateName[] = ['FAILED', 'SUCCEEDED', 'RUNNING', 'CANCELING', 'CANCELED', 'SKIPPED', 'PENDING']

/** How many of a group's tasks are in which state, as a bar with a sentence for those who cannot see it. */
export function StateBar({ counts }: { counts: Counts }) {
  const parts = order.flatMap((state) => {
    const n = counts.byState.get(state) ?? 0
    return n > 0 ? [{ state, n }] : []
  })
  const sentence = parts.map(({ state, n }) => `${n} ${words[state].toLowerCase()}`).join(', ')
  return (
    <span className={css.bar} role="img" aria-label={sentence} title={sentence}>
      {parts.map(({ state, n }) => (
        <span key={state} className={`${css.part} ${stateClass(state)}`} style={{ flexGrow: n }} />
      ))}
    </span>
  )
}
