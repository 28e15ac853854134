import { useMemo, useState } from 'react'
import { useUsage } from '../api/tasks'
import type { Task, Usage } from '../api/types'
import { duration } from '../format/time'
import { bytes, number } from '../format/value'
import { late } from '../parts/late'
import { Loading, Notice } from '../parts/Notice'
import { meanProcessors, usageLines } from './usage'
import css from './UsageView.module.css'

const UsageChart = late('the chart', () => import('./UsageChart'))

/** What a step used while it ran: processors and memory, drawn along the time. */
export function UsageView({ task }: { task: Task }) {
  const [attempt, setAttempt] = useState(0)
  const shown = attempt || task.attempts
  const { data, error } = useUsage(task, shown)
  return (
    <div className={css.view}>
      {task.attempts > 1 && (
        <select className={css.select} aria-label="Attempt" value={shown} onChange={(e) => setAttempt(Number(e.target.value))}>
          {Array.from({ length: task.attempts }, (_, i) => (
            <option key={i} value={i + 1}>
              Attempt {i + 1}
            </option>
          ))}
        </select>
      )}
      {error && (
        <Notice tone="danger" title="What it used could not be read">
          {error.message}
        </Notice>
      )}
      {!data && !error && <Loading what="what it used" />}
      {typeof data === 'string' && <p className={css.none}>{nothing(task)}</p>}
      {typeof data === 'object' && <Charts usage={data} />}
    </div>
  )
}

function nothing(task: Task): string {
  if (task.cached) return 'The result was reused: nothing ran.'
  if (task.attempts === 0) return 'It has not been started.'
  if (task.state === 'RUNNING') return 'There is something to see when it has run for a second.'
  return 'It was not measured: it took less than a second, or ran before steps were measured.'
}

function Charts({ usage }: { usage: Usage }) {
  const lines = useMemo(() => usageLines(usage), [usage])
  return (
    <>
      <dl className={css.facts}>
        <div>
          <dt>Processor time</dt>
          <dd>{duration((usage.cpu_seconds.at(-1) ?? 0) * 1000)}</dd>
        </div>
        <div>
          <dt>Processors in use, mean</dt>
          <dd>
            {number(Number(meanProcessors(usage).toFixed(2)))} of {usage.cpus}
          </dd>
        </div>
        <div>
          <dt>Most memory</dt>
          <dd>
            {bytes(usage.peak_bytes)}
            {usage.memory_limit ? ` of ${bytes(usage.memory_limit)}` : ''}
          </dd>
        </div>
      </dl>
      <UsageChart title="Processors in use" unit="processors" seconds={lines.seconds} values={lines.processors} />
      <UsageChart title="Memory" unit="bytes" seconds={lines.seconds} values={lines.memory} limit={usage.memory_limit} />
      <p className={css.none}>
        All processes of the step together, {lines.seconds.length === 1 ? 'one sample' : `${lines.seconds.length} samples`}. Memory that processes share counts once for each.
      </p>
    </>
  )
}
