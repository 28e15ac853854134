// What the screens ask about recurring runs, as hooks.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, send } from './client'
import type { RecurringList, RecurringRun, RunList } from './types'

/** Pages of recurring runs, newest first. */
export function useRecurringRuns() {
  return useInfiniteQuery({
    queryKey: ['recurring-runs'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<RecurringList>(apiUrl(['recurring-runs'], { page_size: 50, page_token: pageParam }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

/** A recurring run by id; nothing is asked for an empty id. */
export function useRecurringRun(id: string) {
  return useQuery({
    queryKey: ['recurring-runs', id],
    enabled: id !== '',
    queryFn: ({ signal }) => getJson<RecurringRun>(apiUrl(['recurring-runs', id]), signal),
    staleTime: 60_000,
  })
}

/** The newest run that a recurring run started, if there is one; started is how many it says to have started. */
export function useLastRun(id: string, started: number) {
  return useQuery({
    queryKey: ['runs', 'last of', id, started],
    meta: { ids: (list) => (list as RunList).runs.map((run) => run.id) },
    enabled: started > 0,
    queryFn: ({ signal }) => getJson<RunList>(apiUrl(['runs'], { page_size: 1, recurring_run_id: id }), signal),
    placeholderData: keepPreviousData,
    select: (list) => list.runs[0],
  })
}

export type RecurringAction = 'enable' | 'disable' | 'delete'

/** Pauses, resumes or deletes a recurring run, and brings the list up to date. */
export function useChangeRecurring() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, action }: { id: string; name: string; action: RecurringAction }) =>
      action === 'delete' ? send('DELETE', apiUrl(['recurring-runs', id])) : send('POST', apiUrl(['recurring-runs', id, action])),
    onSettled: () => client.invalidateQueries({ queryKey: ['recurring-runs'] }),
  })
}
