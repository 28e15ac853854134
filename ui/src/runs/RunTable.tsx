import { memo } from 'react'
import { type Run, type State as StateName, states } from '../api/types'
import { parseField } from '../experiments/fields'
import { between, duration } from '../format/time'
import { number } from '../format/value'
import { Link } from '../parts/Link'
import { Ago, useNow } from '../parts/now'
import { Cached, State, StateBar } from '../parts/State'
import css from './RunTable.module.css'

/** As high as a row is, in pixels: what is out of sight is reckoned with it. */
export const rowHeight = 49

/** The width that a chosen column has, in pixels. */
export const columnWidth = 136

export type Values = Record<string, unknown>

export function RunHead({ columns, children }: { columns: readonly string[]; children: React.ReactNode }) {
  return (
    <tr aria-rowindex={1}>
      <th scope="col" className={css.tick}>
        {children}
      </th>
      <th scope="col">Run</th>
      <th scope="col" className={css.stateHead}>
        State
      </th>
      <th scope="col" className={`${css.wide} ${css.tasksHead}`}>
        Tasks
      </th>
      <th scope="col" className={`${css.wide} ${css.timeHead}`}>
        Duration
      </th>
      <th scope="col" className={`${css.medium} ${css.timeHead}`}>
        Started
      </th>
      {columns.map((name) => {
        const field = parseField(name)
        return (
          <th key={name} scope="col" className={field?.kind === 'metrics' ? css.right : undefined} style={{ width: columnWidth }} title={name}>
            <span className={css.kind}>{field?.kind === 'params' ? 'parameter' : field?.kind === 'metrics' ? 'metric' : 'tag'}</span>
            <span className={css.key}>{field?.key ?? name}</span>
          </th>
        )
      })}
    </tr>
  )
}

interface RowProps {
  run: Run
  index: number
  experiment: string | undefined
  columns: readonly string[]
  values: Values | undefined
  ticked: boolean
  onTick: (run: Run) => void
}

/** One run. It is drawn again when something in it changes, and each second while it is going on. */
export const RunRow = memo(function RunRow({ run, index, experiment, columns, values, ticked, onTick }: RowProps) {
  return (
    <tr aria-rowindex={index + 2} className={`${css.row} ${ticked ? css.ticked : ''}`} data-run={run.id}>
      <td className={css.tick}>
        <input type="checkbox" aria-label={`Select ${run.display_name}`} checked={ticked} onChange={() => onTick(run)} />
      </td>
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
      <td className={`${css.wide} ${css.number}`}>
        <Took run={run} />
      </td>
      <td className={css.medium}>
        <Ago time={run.created_at} />
      </td>
      {columns.map((name) => (
        <Cell key={name} value={values?.[name]} number={name.startsWith('metrics.')} />
      ))}
    </tr>
  )
})

/** A row whose run is not there yet. */
export function WaitingRow({ index, columns }: { index: number; columns: number }) {
  return (
    <tr aria-rowindex={index + 2} className={css.row}>
      <td colSpan={columns + 6} className={css.waiting}>
        Loading…
      </td>
    </tr>
  )
}

function Took({ run }: { run: Run }) {
  const now = useNow()
  return duration(between(run.created_at, run.finished_at, now) ?? 0)
}

function Cell({ value, number: isNumber }: { value: unknown; number: boolean }) {
  if (value === undefined) return <td className={`${css.none} ${isNumber ? css.right : ''}`}>–</td>
  const text = value === null ? 'NaN' : typeof value === 'number' ? number(value) : String(value)
  return (
    <td className={isNumber ? css.right : css.text} title={String(value ?? 'NaN')}>
      {text}
    </td>
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
