import type { PipelineDetail } from '../api/types'
import { between, duration } from '../format/time'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Nothing } from '../parts/Notice'
import { Ago, useNow } from '../parts/now'
import { pageCss } from '../parts/Page'
import { State } from '../parts/State'
import css from './Pipelines.module.css'

/** The newest runs of a pipeline, whatever the version. */
export function RecentRuns({ data }: { data: PipelineDetail }) {
  const now = useNow()
  const names = new Map(data.versions.versions.map((v) => [v.id, v.display_name]))
  const { runs, total } = data.runs
  if (runs.length === 0) return <Nothing>No run yet.</Nothing>
  return (
    <>
      <List caption="Newest runs of the pipeline" columns={['Run', 'State', { name: 'Version', optional: true }, { name: 'Duration', optional: true }, 'Started']} className={css.inner}>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id}>
              <th scope="row">
                <Link href={`/runs/${run.id}`}>{run.display_name}</Link>
              </th>
              <td>
                <State state={run.state} />
              </td>
              <td className={pageCss.optional}>{names.get(run.version_id ?? '') ?? run.version_id?.slice(0, 8)}</td>
              <td className={pageCss.optional}>{duration(between(run.created_at, run.finished_at, now) ?? 0)}</td>
              <td>
                <Ago time={run.created_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </List>
      {total > runs.length && <Nothing>These are the newest {runs.length} of {total.toLocaleString('en-GB')}.</Nothing>}
    </>
  )
}
