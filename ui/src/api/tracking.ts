// What the screens ask about experiments, tracked runs and models, as hooks.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, postJson, send } from './client'
import type {
  BulkOutcome,
  Comparison,
  CurveList,
  ExperimentList,
  GroupList,
  ModelCard,
  ModelDetail,
  ModelList,
  RunSources,
  RunTable,
  TrackedDetail,
  TrackedFileList,
  TrackedRun,
} from './types'

/** Says whether a tracked run may still get metrics. */
export function isGoingOn(run: TrackedRun): boolean {
  return run.status === 'RUNNING' || run.status === 'SCHEDULED'
}

/** Pages of experiments, newest first. */
export function useExperimentList(q: string) {
  return useInfiniteQuery({
    queryKey: ['experiments', 'list', q],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<ExperimentList>(apiUrl(['experiments'], { page_size: 50, page_token: pageParam, q }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

export interface TableQuery {
  experiment: string
  filter: string
  /** As the API takes it: "metrics.loss DESC"; empty means newest first. */
  order: string
  /** The columns to ask for; undefined asks for everything, from which a choice can be made. */
  columns: readonly string[] | undefined
  nested: boolean
  /** The deleted runs instead of the others. */
  deleted?: boolean
  /** Narrows the table to one group of what runs are grouped by. */
  group?: { by: string; value: GroupValue }
}

/** The value of a group; undefined is that of the runs that have none. */
export type GroupValue = string | undefined

function tableUrl(q: TableQuery, more: Record<string, string | number>) {
  return apiUrl(['experiments', q.experiment, 'tracked-runs'], {
    filter: q.filter,
    order_by: q.order,
    column: q.columns && (q.columns.length > 0 ? q.columns : ['-']),
    nested: (q.nested && !q.deleted && !q.group) || undefined,
    deleted: q.deleted || undefined,
    by: q.group?.by,
    group: q.group?.value,
    no_group: (q.group && q.group.value === undefined) || undefined,
    ...more,
  })
}

/** Pages of an experiment's runs. */
export function useRunTable(q: TableQuery, enabled = true) {
  return useInfiniteQuery({
    enabled,
    queryKey: ['tracked-runs', 'table', q],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<RunTable>(tableUrl(q, { page_size: 100, page_token: pageParam }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: (old, query) => (query?.queryKey[2] && (query.queryKey[2] as TableQuery).experiment === q.experiment ? old : undefined),
  })
}

/** The first runs beneath those that are open, by the id of the one they are beneath: one request for each, when it is opened. */
export function childrenQuery(q: TableQuery, parent: string) {
  return {
    queryKey: ['tracked-runs', 'table', q, 'beneath', parent],
    queryFn: ({ signal }: { signal: AbortSignal }) => getJson<RunTable>(tableUrl({ ...q, nested: true }, { page_size: 200, parent }), signal),
    placeholderData: keepPreviousData,
  }
}

/** The groups of an experiment's runs by a parameter, a tag, the status or the pipeline, with sums of metrics. */
export function useGroups(q: TableQuery, by: string, metrics: readonly string[]) {
  return useQuery({
    enabled: by !== '',
    queryKey: ['tracked-runs', 'groups', q.experiment, q.filter, q.deleted, by, metrics],
    queryFn: ({ signal }) => getJson<GroupList>(apiUrl(['experiments', q.experiment, 'run-groups'], { by, filter: q.filter, metric: metrics, deleted: q.deleted || undefined }), signal),
    placeholderData: (old, query) => (query?.queryKey[2] === q.experiment && query.queryKey[5] === by ? old : undefined),
  })
}

/** As many runs of a group as are shown where it is opened. */
export const shownOfGroup = 100

/** The first runs of a group. */
export function groupQuery(q: TableQuery, by: string, value: GroupValue) {
  const one: TableQuery = { ...q, nested: false, group: { by, value } }
  return {
    queryKey: ['tracked-runs', 'table', one, 'first'],
    queryFn: ({ signal }: { signal: AbortSignal }) => getJson<RunTable>(tableUrl(one, { page_size: shownOfGroup }), signal),
    placeholderData: keepPreviousData,
  }
}

export interface BulkChange {
  action: 'delete' | 'restore' | 'set-tag'
  run_ids: readonly string[]
  key?: string
  value?: string
}

/** Does the same to several runs. */
export function useChangeRuns() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (change: BulkChange) => postJson<BulkOutcome>(apiUrl(['tracked-runs', 'changes']), change),
    onSettled: () => client.invalidateQueries({ queryKey: ['tracked-runs'] }),
  })
}

/** A tracked run. */
export function useTrackedRun(id: string) {
  return useQuery({
    queryKey: ['tracked-runs', id],
    queryFn: ({ signal }) => getJson<TrackedDetail>(apiUrl(['tracked-runs', id]), signal),
  })
}

/** Several runs at once, in the order of the ids. */
export function useComparison(ids: readonly string[]) {
  return useQuery({
    queryKey: ['tracked-runs', ids, 'comparison'],
    enabled: ids.length > 0,
    queryFn: ({ signal }) => getJson<Comparison>(apiUrl(['comparison'], { run_id: ids }), signal),
    placeholderData: keepPreviousData,
  })
}

/** The code and the environments of several runs. */
export function useSources(ids: readonly string[]) {
  return useQuery({
    queryKey: ['tracked-runs', 'sources', ids],
    enabled: ids.length > 0,
    queryFn: ({ signal }) => getJson<RunSources>(apiUrl(['comparison', 'sources'], { run_id: ids }), signal),
    placeholderData: keepPreviousData,
  })
}

/** As many curves as the server gives at once. */
export const maxCurves = 100

/** The curves of metrics of runs. The more there are, the fewer points each has: a screen has only so many pixels. */
export function useCurves(runs: readonly string[], keys: readonly string[]) {
  const points = Math.max(200, Math.min(1000, Math.floor(24_000 / Math.max(1, runs.length * keys.length))))
  return useQuery({
    queryKey: ['tracked-runs', runs, 'curves', keys],
    enabled: runs.length > 0 && keys.length > 0,
    queryFn: ({ signal }) => getJson<CurveList>(apiUrl(['curves'], { run_id: runs, key: keys, points }), signal),
    placeholderData: keepPreviousData,
  })
}

export function useTrackedFiles(id: string, path: string, enabled = true) {
  return useQuery({
    enabled,
    queryKey: ['tracked-runs', id, 'files', path],
    queryFn: ({ signal }) => getJson<TrackedFileList>(apiUrl(['tracked-runs', id, 'files'], { path }), signal),
  })
}

/** Pages of registered models, by name. */
export function useModels(q: string) {
  return useInfiniteQuery({
    queryKey: ['models', 'list', q],
    meta: { topics: ['endpoints'] },
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<ModelList>(apiUrl(['models'], { page_size: 100, page_token: pageParam, q }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

export function useModel(name: string) {
  return useQuery({ queryKey: ['models', 'one', name], enabled: name !== '', meta: { topics: ['endpoints'] }, queryFn: ({ signal }) => getJson<ModelDetail>(apiUrl(['models', name]), signal) })
}

/** The card of a version. */
export function useModelCard(name: string, version: string) {
  return useQuery({
    queryKey: ['models', 'card', name, version],
    meta: { topics: ['endpoints'] },
    queryFn: ({ signal }) => getJson<ModelCard>(apiUrl(['models', name, 'versions', version, 'card']), signal),
  })
}

export type ModelChange = { description: string } | { tag: string; value: string | undefined }

/** Writes the description of a model, or of a version of it, or one of its tags; a tag whose value is undefined is removed. */
export function useChangeModel(name: string, version: string | undefined) {
  const client = useQueryClient()
  const path = version === undefined ? ['models', name] : ['models', name, 'versions', version]
  return useMutation({
    mutationFn: (change: ModelChange) => {
      if ('description' in change) return send('PUT', apiUrl([...path, 'description']), change)
      const url = apiUrl([...path, 'tags'], { key: change.tag })
      return change.value === undefined ? send('DELETE', url) : send('PUT', url, { value: change.value })
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['models'] }),
  })
}

/** Lets an alias point to a version, or with an undefined version removes it. */
export function useChangeAlias(name: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ alias, version }: { alias: string; version: string | undefined }) => {
      const url = apiUrl(['models', name, 'aliases', alias])
      return version === undefined ? send('DELETE', url) : send('PUT', url, { version })
    },
    onSettled: () => client.invalidateQueries({ queryKey: ['models'] }),
  })
}
