// What a task did with its time, as the run's log knows it.
import { isLeaf, type Task } from '../api/types'

/**
 * waiting: for tasks before it, or its turn in a loop. preparing: its environment, the look into the cache, room on the machine.
 * pause: between an attempt that failed and the next. cached: an earlier result was looked up and taken.
 */
export type SpanKind = 'waiting' | 'preparing' | 'running' | 'pause' | 'cached'

export interface Span {
  kind: SpanKind
  from: number
  to: number
  /** For a run of the step when there were several: which one, and why it did not succeed. */
  attempt?: number
  reason?: string
}

/** The spans of a leaf in their order; what goes on still ends now. Runs of older versions know no time of preparing. */
export function spansOf(task: Task, now: number): Span[] {
  const created = Date.parse(task.created_at)
  const end = task.finished_at ? Date.parse(task.finished_at) : Math.max(now, created)
  const ready = time(task.ready_at)
  const started = time(task.started_at)
  const spans: Span[] = []
  const add = (span: Span) => {
    if (span.to > span.from) spans.push(span)
  }
  add({ kind: 'waiting', from: created, to: ready ?? started ?? end })
  if (task.tries && task.tries.length > 0) return spans.concat(attempts(task, end))
  if (task.cached) spans.push({ kind: 'cached', from: ready ?? end, to: end })
  else if (started !== undefined) {
    if (ready !== undefined) add({ kind: 'preparing', from: ready, to: started })
    spans.push({ kind: 'running', from: started, to: end })
  } else if (ready !== undefined) add({ kind: 'preparing', from: ready, to: end })
  return spans
}

function attempts(task: Task, end: number): Span[] {
  const spans: Span[] = []
  let last: number | undefined
  for (const t of task.tries ?? []) {
    const ready = Date.parse(t.ready_at)
    const started = Date.parse(t.started_at)
    const finished = time(t.finished_at) ?? end
    if (last !== undefined && ready > last) spans.push({ kind: 'pause', from: last, to: ready })
    if (started > ready) spans.push({ kind: 'preparing', from: ready, to: started })
    spans.push({ kind: 'running', from: started, to: finished, attempt: t.attempt, ...(t.reason ? { reason: t.reason } : {}) })
    last = finished
  }
  if (last !== undefined && end > last) spans.push(task.cached ? { kind: 'cached', from: last, to: end } : { kind: 'pause', from: last, to: end })
  return spans
}

function time(text: string | undefined): number | undefined {
  return text ? Date.parse(text) : undefined
}

/** Whether a leaf ran or took a result; the others only waited. */
export function tookPart(task: Task): boolean {
  return isLeaf(task.kind) && (task.started_at !== undefined || task.cached === true)
}
