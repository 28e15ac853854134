import type { HomePage, ModelChange } from '../api/types'
import { Card } from '../parts/Card'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { Ago } from '../parts/now'
import css from './HomePage.module.css'
import { changeWords } from './words'

/** What changed in the model registry, the newest first. */
export function Changes({ changes }: Pick<HomePage, 'changes'>) {
  return (
    <Card title="Changes of models" extra={changes.length > 0 && <Link href="/models">Models</Link>}>
      {changes.length === 0 && <Nothing>No model was registered yet.</Nothing>}
      <ul>
        {changes.map((c, i) => (
          // Two changes can be alike in all that is told of them.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={`${c.at} ${c.kind} ${i}`} className={css.line}>
            <Line change={c} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Line({ change }: { change: ModelChange }) {
  const { icon, text } = changeWords(change)
  return (
    <>
      <Icon name={icon} />
      <span className={css.grow}>
        {change.kind === 'model_deleted' ? (
          <span className={css.gone}>{change.model}</span>
        ) : (
          <Link href={`/models/${encodeURIComponent(change.model)}${change.version && change.kind !== 'version_deleted' ? `?version=${change.version}` : ''}`}>{change.model}</Link>
        )}
        <span className={css.second}>{text}</span>
      </span>
      <span className={css.soft}>
        <Ago time={change.at} />
      </span>
    </>
  )
}
