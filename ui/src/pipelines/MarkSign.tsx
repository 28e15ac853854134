import type { Mark } from './diff'
import css from './OutlineGraph.module.css'

const signs: Record<Mark, string> = { same: '', added: '+', removed: '−', changed: '~' }

/** A mark as a sign in its colour. */
export function MarkSign({ mark }: { mark: Mark }) {
  return (
    <span className={`${css.sign} ${css[mark]}`} aria-hidden="true">
      {signs[mark]}
    </span>
  )
}
