// What the screens ask about what a task used and ran in, as hooks.
import { useQuery } from '@tanstack/react-query'
import { ApiError, apiUrl, getJson } from './client'
import type { Task, TaskEnvironment, Usage } from './types'

/** What an attempt of a task has used so far; undefined data and no error when nothing was measured. */
export function useUsage(task: Task, attempt: number) {
  return useQuery({
    queryKey: ['runs', task.run_id, 'usage', task.id, attempt, task.state],
    queryFn: async ({ signal }) => {
      try {
        return await getJson<Usage>(apiUrl(['runs', task.run_id, 'tasks', task.id, 'usage'], { attempt }), signal)
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return error.message
        throw error
      }
    },
    // A step that runs is measured each second; no change of state tells of that.
    refetchInterval: task.state === 'RUNNING' ? 3000 : false,
  })
}

/** The exact packages that a task ran with. */
export function useTaskEnvironment(task: Task) {
  return useQuery({
    queryKey: ['runs', task.run_id, 'environment', task.id, task.state, task.attempts],
    queryFn: ({ signal }) => getJson<TaskEnvironment>(apiUrl(['runs', task.run_id, 'tasks', task.id, 'environment']), signal),
  })
}
