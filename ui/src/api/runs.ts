// What the list of runs asks: pages of any list of runs, groups, and what is done with several runs.
import { keepPreviousData, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, postJson } from './client'
import { useEarly } from './early'
import type { RunActionResult, RunGroups, RunList } from './types'

export interface RunFilter {
  q: string
  state: string
  experiment: string
  recurring: string
  /** Id of a backfill. */
  backfill: string
  /** In the words of the API: name ILIKE '%train%' AND params.lr = '0.1'. */
  filter: string
  archived: boolean
}

const queryOf = (f: RunFilter) => ({
  q: f.q,
  state: f.state,
  experiment_id: f.experiment,
  recurring_run_id: f.recurring,
  backfill_id: f.backfill,
  filter: f.filter,
  archived: f.archived || undefined,
})

export interface RunQuery {
  filter: RunFilter
  /** Parameters, metrics and tags to show, such as params.lr. */
  columns: readonly string[]
  size: number
}

function pageUrl({ filter, columns, size }: RunQuery, token: string) {
  return apiUrl(['runs'], { ...queryOf(filter), column: columns, page_size: size, page_token: token, fields: token === '' || undefined })
}

/** Metrics are logged to the tracked run of a run. */
const alsoOf = ({ columns }: RunQuery) => (columns.some((c) => !c.startsWith('params.')) ? ['tracked-runs'] : [])

/** The first page of a list of runs, which says how many there are in all. */
export function useFirstRuns(query: RunQuery, enabled: boolean) {
  const url = pageUrl(query, '')
  const early = useEarly<RunList>(url)
  return useQuery({
    queryKey: ['runs', query, ''],
    enabled,
    ...early,
    meta: { topics: alsoOf(query) },
    queryFn: ({ signal }) => getJson<RunList>(url, signal),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
  })
}

/** Other pages of the list, by their tokens. They are asked for again when a run changes that they show, and forgotten out of sight. */
export function useRunPages(query: RunQuery, tokens: readonly string[]) {
  return useQueries({
    queries: tokens.map((token) => ({
      queryKey: ['runs', query, token],
      meta: { ids: (list: unknown) => (list as RunList).runs.map((run) => run.id), topics: alsoOf(query) },
      queryFn: ({ signal }: { signal: AbortSignal }) => getJson<RunList>(pageUrl(query, token), signal),
      gcTime: 30_000,
    })),
  })
}

export type GroupBy = 'state' | 'experiment' | 'pipeline'

export function useRunGroups(filter: RunFilter, by: GroupBy) {
  return useQuery({
    queryKey: ['runs', 'groups', filter, by],
    queryFn: ({ signal }) => getJson<RunGroups>(apiUrl(['run-groups'], { ...queryOf(filter), by }), signal),
    placeholderData: keepPreviousData,
  })
}

export type RunAction = 'cancel' | 'retry' | 'archive' | 'unarchive' | 'delete'

/** Does something with several runs, each by itself. */
export function useActOnRuns() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: async ({ action, ids }: { action: RunAction; ids: readonly string[] }) => {
      const result: RunActionResult = { done: [], failed: [] }
      for (let i = 0; i < ids.length; i += 200) {
        const part = await postJson<RunActionResult>(apiUrl(['run-actions']), { action, run_ids: ids.slice(i, i + 200) })
        result.done.push(...part.done)
        result.failed.push(...part.failed)
      }
      return result
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['runs'] }),
  })
}
