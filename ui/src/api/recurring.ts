// What the screens ask about recurring runs, as hooks.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, send } from './client'
import { isFinal, type RecurringList, type RecurringRun, type RunList } from './types'

/** Pages of recurring runs, newest first. Asks again when the next run is due, and every 15 s. */
export function useRecurringRuns() {
  return useInfiniteQuery({
    queryKey: ['recurring'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<RecurringList>(apiUrl(['recurring-runs'], { page_size: 50, page_token: pageParam }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => pause(query.state.data?.pages.flatMap((page) => page.recurring_runs) ?? [], Date.now()),
  })
}

/** Milliseconds to wait until the list of recurring runs is asked for again: until the first is due, within limits. */
export function pause(list: readonly RecurringRun[], now: number): number {
  const due = list.flatMap((r) => (r.next_at ? [Date.parse(r.next_at) - now + 500] : []))
  return Math.max(2000, Math.min(15_000, ...due))
}

/** A recurring run by id; nothing is asked for an empty id. */
export function useRecurringRun(id: string) {
  return useQuery({
    queryKey: ['recurring', id],
    enabled: id !== '',
    queryFn: ({ signal }) => getJson<RecurringRun>(apiUrl(['recurring-runs', id]), signal),
    staleTime: 60_000,
  })
}

/** The newest run that a recurring run started, if there is one; started is how many it says to have started. */
export function useLastRun(id: string, started: number) {
  return useQuery({
    queryKey: ['runs', 'last of', id, started],
    enabled: started > 0,
    queryFn: ({ signal }) => getJson<RunList>(apiUrl(['runs'], { page_size: 1, recurring_run_id: id }), signal),
    placeholderData: keepPreviousData,
    select: (list) => list.runs[0],
    refetchInterval: (query) => (query.state.data?.runs.some((run) => !isFinal(run.state)) ? 2000 : false),
  })
}

export type RecurringAction = 'enable' | 'disable' | 'delete'

/** Pauses, resumes or deletes a recurring run, and brings the list up to date. */
export function useChangeRecurring() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, action }: { id: string; name: string; action: RecurringAction }) =>
      action === 'delete' ? send('DELETE', apiUrl(['recurring-runs', id])) : send('POST', apiUrl(['recurring-runs', id, action])),
    onSettled: () => client.invalidateQueries({ queryKey: ['recurring'] }),
  })
}
