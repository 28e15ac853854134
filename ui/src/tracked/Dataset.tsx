import type { TrackedDataset } from '../api/types'
import { pageCss } from '../parts/Page'
import { Pairs } from './Pairs'
import css from './TrackedPage.module.css'

/** A dataset that a run read. */
export function Dataset({ dataset: d }: { dataset: TrackedDataset }) {
  const more = [
    ['Source', d.source],
    ['Schema', d.schema],
    ['Profile', d.profile],
  ].filter((pair): pair is [string, string] => Boolean(pair[1]))
  return (
    <li className={css.item}>
      <div className={css.line}>
        <strong>{d.name}</strong>
        {d.context && <span className={css.badge}>{d.context}</span>}
        <code>{d.digest}</code>
        <span className={pageCss.soft}>{d.source_type}</span>
      </div>
      {more.length > 0 && (
        <details>
          <summary>Source and schema</summary>
          <Pairs values={Object.fromEntries(more)} empty="" />
        </details>
      )}
    </li>
  )
}
