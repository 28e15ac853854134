import { Link } from 'wouter'
import { type Run, type State as StateName, states } from '../api/types'
import { between, duration } from '../format/time'
import { Ago, useNow } from '../parts/now'
import { Cached, State, StateBar } from '../parts/State'
import css from './RunTable.module.css'

export function RunTable({ runs, experiments }: { runs: Run[]; experiments: Map<string, string> | undefined }) {
  return (
    <table className={css.table}>
      <caption className="visually-hidden">Runs, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Run</th>
          <th scope="col">State</th>
          <th scope="col" className={css.wide}>
            Tasks
          </th>
          <th scope="col" className={css.wide}>
            Duration
          </th>
          <th scope="col" className={css.medium}>
            Started
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <RunRow key={run.id} run={run} experiment={experiments?.get(run.experiment_id)} />
        ))}
      </tbody>
    </table>
  )
}

function RunRow({ run, experiment }: { run: Run; experiment: string | undefined }) {
  const now = useNow()
  return (
    <tr className={css.row}>
      <td className={css.name}>
        <Link href={`/runs/${run.id}`} className={css.link} title={run.display_name}>
          {run.display_name}
        </Link>
        <span className={css.second}>
          {run.pipeline_name}
          {experiment && ` · ${experiment}`}
        </span>
      </td>
      <td className={css.state}>
        <State state={run.state} />
        <span className={css.narrow}>
          <Ago time={run.created_at} />
        </span>
      </td>
      <td className={css.wide}>
        <Progress run={run} />
      </td>
      <td className={`${css.wide} ${css.number}`}>{duration(between(run.created_at, run.finished_at, now) ?? 0)}</td>
      <td className={css.medium}>
        <Ago time={run.created_at} />
      </td>
    </tr>
  )
}

const done: readonly StateName[] = ['SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED']

/** How many of a run's tasks are done, and in which states they are. */
export function Progress({ run }: { run: Pick<Run, 'tasks' | 'cached'> }) {
  const byState = new Map(states.map((s) => [s, run.tasks?.[s] ?? 0]))
  const total = [...byState.values()].reduce((sum, n) => sum + n, 0)
  const finished = done.reduce((sum, s) => sum + (byState.get(s) ?? 0), 0)
  if (total === 0) return <span className={css.none}>none yet</span>
  return (
    <span className={css.progress}>
      <span className={css.number}>
        {finished}/{total}
      </span>
      <StateBar counts={{ total, cached: run.cached ?? 0, byState }} />
      {run.cached ? <Cached>{`${run.cached} cached`}</Cached> : null}
    </span>
  )
}
