import type { State as StateName, TrackedRun, TrackedStatus } from '../api/types'
import { ago, duration, exact } from '../format/time'
import { useNow } from '../parts/now'
import { State } from '../parts/State'

const states: Record<TrackedStatus, { state: StateName; word: string }> = {
  RUNNING: { state: 'RUNNING', word: 'Running' },
  SCHEDULED: { state: 'PENDING', word: 'Scheduled' },
  FINISHED: { state: 'SUCCEEDED', word: 'Finished' },
  FAILED: { state: 'FAILED', word: 'Failed' },
  KILLED: { state: 'CANCELED', word: 'Killed' },
}

export function Status({ status, large = false }: { status: TrackedStatus; large?: boolean }) {
  return <State {...states[status]} large={large} />
}

/** A time that a client gave, which may be none that a calendar knows. */
function iso(ms: number): string | undefined {
  return ms > 0 && ms < 8.64e15 ? new Date(ms).toISOString() : undefined
}

export function Started({ run }: { run: TrackedRun }) {
  const now = useNow()
  const time = iso(run.start_ms)
  if (!time) return <span>unknown</span>
  return (
    <time dateTime={time} title={exact(time)}>
      {ago(time, now)}
    </time>
  )
}

export function Took({ run }: { run: TrackedRun }) {
  const now = useNow()
  if (!iso(run.start_ms)) return <span>–</span>
  const end = run.end_ms ?? (run.status === 'RUNNING' ? now : undefined)
  return <span>{end === undefined ? '–' : duration(end - run.start_ms)}</span>
}
