import { useCacheExplanation } from '../api/queries'
import type { CacheExplanation, Task } from '../api/types'
import { Link } from '../parts/Link'
import css from './CacheReason.module.css'

/** Says in the facts of a step why it had to run: what differs from the nearest result that was known, or that caching was off. */
export function CacheReason({ task, pipeline }: { task: Task; pipeline: string }) {
  const { data } = useCacheExplanation(task)
  if (!data || data.outcome === 'HIT' || data.outcome === 'NOT_USED') return null
  return (
    <>
      <dt>{data.outcome === 'OFF' ? 'Cache' : 'Not reused'}</dt>
      <dd className={css.reason}>
        {data.differences?.length ? <Differences explanation={data} pipeline={pipeline} /> : data.summary}
      </dd>
    </>
  )
}

/** A result of another pipeline may be the nearest, and may have little to do with this one: it is said whose it is. */
function Differences({ explanation, pipeline }: { explanation: CacheExplanation; pipeline: string }) {
  const { entry, differences = [] } = explanation
  return (
    <>
      {entry && (
        <span className={css.than}>
          unlike{' '}
          <Link href={`/runs/${entry.run_id}/tasks/${entry.task_id}`}>{entry.run_name || `run ${entry.run_id.slice(0, 8)}`}</Link>
          {entry.pipeline_name && entry.pipeline_name !== pipeline && ` of another pipeline, ${entry.pipeline_name}`}
        </span>
      )}
      <ul>
        {differences.map((d) => (
          <li key={`${d.kind}/${d.name ?? ''}`}>
            {d.lines?.length ? (
              <details>
                <summary>{d.text}</summary>
                <pre>{d.lines.join('\n')}</pre>
              </details>
            ) : (
              d.text
            )}
          </li>
        ))}
      </ul>
    </>
  )
}
