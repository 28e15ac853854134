import type { Task } from '../api/types'

/** The address of a task that keeps how the run is looked at; where exactly in the graph follows from the task. */
export function taskHref(task: Task, search: URLSearchParams): string {
  return taskHrefs(search)(task)
}

/** The addresses of many tasks. */
export function taskHrefs(search: URLSearchParams): (task: Task) => string {
  const query = queryOf(search, ['at'])
  return (task) => `/runs/${encodeURIComponent(task.run_id)}/tasks/${encodeURIComponent(task.id)}${query}`
}

/** The address of a run without a task, looked at in the same way. */
export function runHref(runId: string, search: URLSearchParams): string {
  return `/runs/${encodeURIComponent(runId)}${queryOf(search, ['at', 'tab', 'attempt'])}`
}

function queryOf(search: URLSearchParams, without: readonly string[]): string {
  const kept = new URLSearchParams(search)
  for (const key of without) kept.delete(key)
  const text = kept.toString()
  return text && `?${text}`
}
