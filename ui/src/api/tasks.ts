// What the screens ask about what a task used and ran in, as hooks.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { ApiError, apiUrl, getJson } from './client'
import { follow } from './sse'
import type { Task, TaskEnvironment, Usage } from './types'

/** What an attempt of a task has used so far, as a sentence where nothing was measured. While the task runs it is followed. */
export function useUsage(task: Task, attempt: number) {
  const client = useQueryClient()
  const { run_id: run, id, state } = task
  useEffect(() => {
    if (state !== 'RUNNING') return undefined
    const abort = new AbortController()
    void follow(apiUrl(['runs', run, 'tasks', id, 'usage', 'events'], { attempt }), abort.signal, {
      onEvents: (events) => {
        const last = events.findLast((e) => e.event === 'usage')
        if (last) client.setQueryData(usageKey(run, id, attempt, state), JSON.parse(last.data) as Usage)
      },
    })
    return () => abort.abort()
  }, [client, run, id, attempt, state])
  return useQuery({
    queryKey: usageKey(run, id, attempt, state),
    queryFn: async ({ signal }) => {
      try {
        return await getJson<Usage>(apiUrl(['runs', run, 'tasks', id, 'usage'], { attempt }), signal)
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return error.message
        throw error
      }
    },
  })
}

function usageKey(run: string, task: string, attempt: number, state: string) {
  return ['runs', run, 'usage', task, attempt, state]
}

/** The exact packages that a task ran with. */
export function useTaskEnvironment(task: Task) {
  return useQuery({
    queryKey: ['runs', task.run_id, 'environment', task.id, task.state, task.attempts],
    queryFn: ({ signal }) => getJson<TaskEnvironment>(apiUrl(['runs', task.run_id, 'tasks', task.id, 'environment']), signal),
  })
}
