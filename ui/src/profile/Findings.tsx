import { number } from '../format/value'
import css from './Profile.module.css'
import type { Finding } from './report'

const few = 30

/** What was read of a table in another way than it is written, or left out. */
export function Findings({ title, findings }: { title: string; findings: readonly Finding[] | undefined }) {
  if (!findings || findings.length === 0) return null
  return (
    <section aria-label={title}>
      <p className={css.head}>{title}</p>
      <ul className={css.findings}>
        {findings.slice(0, few).map((f) => (
          <li key={`${f.column ?? ''} ${f.what}`}>
            {f.column && <bdi className={css.name}>{f.column}</bdi>}
            <bdi>{f.what}</bdi>
            {f.count && f.row !== undefined && f.row >= 0 ? <span className={css.soft}>{`${number(f.count)} ×, first in row ${number(f.row + 1)}`}</span> : null}
          </li>
        ))}
        {findings.length > few && <li className={css.soft}>{`and ${findings.length - few} more`}</li>}
      </ul>
    </section>
  )
}
