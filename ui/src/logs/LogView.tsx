import { useState } from 'react'
import { useLogStream } from '../api/queries'
import { isFinal, type Task } from '../api/types'
import { Notice } from '../parts/Notice'
import { append, emptyBuffer, findLines, type LogBuffer } from './buffer'
import { LogLines } from './LogLines'
import { LogTools } from './LogTools'
import css from './LogView.module.css'

export interface LogOptions {
  attempt: number
  times: boolean
  wrap: boolean
  follow: boolean
  search: string
  /** Which of the found lines is the current one. */
  at: number
}

/** What a task printed, as it prints it. */
export function LogView({ task }: { task: Task }) {
  // A log that ended well is read from the beginning; otherwise the end says what happened.
  const [options, setOptions] = useState<LogOptions>({ attempt: 0, times: false, wrap: true, follow: task.state !== 'SUCCEEDED', search: '', at: 0 })
  const change = (some: Partial<LogOptions>) => setOptions((old) => ({ ...old, ...some }))
  // Attempt 0 means the newest, so a retry shows up when the step starts again.
  const attempt = options.attempt === 0 ? task.attempts : options.attempt
  if (task.cached) return <p className={css.none}>This task did not run: its result was reused. The log is with the task that made it.</p>
  if (attempt === 0) return <p className={css.none}>{isFinal(task.state) ? 'This task never started, so it printed nothing.' : 'This task has not started yet.'}</p>
  return <Log key={attempt} task={task} attempt={attempt} options={options} change={change} />
}

interface LogProps {
  task: Task
  attempt: number
  options: LogOptions
  change: (some: Partial<LogOptions>) => void
}

function Log({ task, attempt, options, change }: LogProps) {
  const [buffer, setBuffer] = useState<LogBuffer>(emptyBuffer)
  const status = useLogStream(
    { runId: task.run_id, taskId: task.id, attempt },
    { onLines: (lines) => setBuffer((old) => append(old, lines)), onRestart: () => setBuffer(emptyBuffer) },
  )
  const found = findLines(buffer.lines, options.search)
  return (
    <div className={css.log}>
      <LogTools task={task} attempt={attempt} lines={buffer.lines} found={found} ended={status.ended} options={options} change={change} />
      {status.error && <Notice tone="warning">{status.error}</Notice>}
      {buffer.dropped > 0 && <Notice tone="neutral">{`The first ${buffer.dropped.toLocaleString('en-GB')} lines are not shown.`}</Notice>}
      {buffer.lines.length === 0 ? (
        <p className={css.none}>{status.ended ? 'The step printed nothing.' : 'Waiting for the first line…'}</p>
      ) : (
        <LogLines lines={buffer.lines} current={found[options.at]} options={options} onScrollAway={() => change({ follow: false })} />
      )}
    </div>
  )
}
