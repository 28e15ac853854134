// The state of one run as its event stream tells it.
import type { ServerEvent } from './sse'
import type { Run, Task } from './types'

export interface RunView {
  run: Run | undefined
  /** Tasks by path, in the order in which the server made them. */
  tasks: ReadonlyMap<string, Task>
  ended: boolean
}

export const emptyView: RunView = { run: undefined, tasks: new Map(), ended: false }

/**
 * Applies a batch of events. A task that was not named keeps its object, so what is drawn from it need not be drawn
 * again. Events that this version does not know are skipped.
 */
export function applyEvents(view: RunView, events: readonly ServerEvent[]): RunView {
  let { run, ended } = view
  let tasks: Map<string, Task> | undefined
  for (const { event, data } of events) {
    if (event === 'run') run = JSON.parse(data) as Run
    if (event === 'task') {
      const task = JSON.parse(data) as Task
      tasks ??= new Map(view.tasks)
      tasks.set(task.path, task)
    }
    if (event === 'end') ended = true
  }
  return { run, tasks: tasks ?? view.tasks, ended }
}
