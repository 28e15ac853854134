import type { HomePage, RunBrief } from '../api/types'
import { between, duration } from '../format/time'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Nothing } from '../parts/Notice'
import { useNow } from '../parts/now'
import { State } from '../parts/State'
import { Progress } from '../runs/RunTable'
import css from './HomePage.module.css'

/** What goes on: runs of pipelines with their progress, and tracked runs of other programs. */
export function Active({ active, tracked, counts }: Pick<HomePage, 'active' | 'tracked' | 'counts'>) {
  const total = (counts.PENDING ?? 0) + (counts.RUNNING ?? 0) + (counts.CANCELING ?? 0)
  const more = total > active.length
  return (
    <Card title="Going on" extra={more && <Link href="/runs?state=PENDING,RUNNING,CANCELING">All {total.toLocaleString('en-GB')}</Link>}>
      {active.length + tracked.length === 0 && <Nothing>Nothing is running.</Nothing>}
      <ul>
        {active.map((run) => (
          <ActiveRun key={run.id} run={run} />
        ))}
        {tracked.map((run) => (
          <li key={run.id} className={css.row}>
            <span className={css.what}>
              <Link href={`/tracked-runs/${encodeURIComponent(run.id)}`} className={css.name}>
                {run.name || run.id}
              </Link>
              <span className={css.second}>Tracked{run.user && ` · ${run.user}`}</span>
            </span>
            <span className={css.state}>
              <State state="RUNNING" />
            </span>
            <span className={css.progress} />
            <Elapsed since={run.started_at} />
          </li>
        ))}
      </ul>
    </Card>
  )
}

function ActiveRun({ run }: { run: RunBrief }) {
  return (
    <li className={css.row}>
      <span className={css.what}>
        <Link href={`/runs/${run.id}`} className={css.name}>
          {run.display_name}
        </Link>
        <span className={css.second}>{run.pipeline_name}</span>
      </span>
      <span className={css.state}>
        <State state={run.state} />
      </span>
      <span className={css.progress}>
        <Progress run={run} />
      </span>
      <Elapsed since={run.created_at} />
    </li>
  )
}

function Elapsed({ since }: { since: string | undefined }) {
  const now = useNow()
  return <span className={css.time}>{since ? duration(between(since, undefined, now) ?? 0) : ''}</span>
}
