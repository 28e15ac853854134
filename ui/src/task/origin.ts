import type { Task } from '../api/types'
import type { Tree } from '../graph/tree'

export interface Origin {
  runId: string
  taskId: string
}

/**
 * The task that first made a reused result. The task names only its id; the run is known when it is this one, or
 * from an output artifact, which names its producer.
 */
export function cacheOrigin(task: Task, tree: Tree): Origin | undefined {
  const taskId = task.cached_from
  if (!taskId) return undefined
  if (tree.byId.has(taskId)) return { runId: task.run_id, taskId }
  const made = Object.values(task.outputs.artifacts ?? {})
    .flat()
    .find((a) => a.task_id === taskId && a.run_id)
  return made?.run_id ? { runId: made.run_id, taskId } : undefined
}
