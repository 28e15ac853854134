// What the screens ask about partitions and backfills, as hooks.
import { keepPreviousData, useMutation, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, postJson } from './client'
import type { Backfill, BackfillList, BackfillPlan, CreateBackfill, PartitionList } from './types'

/** How many partitions are read at once. */
export const pageOfPartitions = 500

const partitionsPage = (pipeline: string, offset: number, limit: number) => ({
  queryKey: ['backfills', 'partitions', pipeline, offset, limit],
  // Runs, versions and imports change the states.
  meta: { topics: ['runs', 'pipelines'] },
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<PartitionList>(apiUrl(['pipelines', pipeline, 'partitions'], { offset, limit }), signal),
})

/** How a pipeline is partitioned, and how many of its partitions are in which state. */
export function usePartitioning(pipeline: string) {
  return useQuery({ ...partitionsPage(pipeline, 0, 1), placeholderData: keepPreviousData })
}

/** The pages of partitions with these numbers, by number, as far as they are there. */
export function usePartitions(pipeline: string, pages: readonly number[]) {
  return useQueries({
    queries: pages.map((page) => ({ ...partitionsPage(pipeline, page * pageOfPartitions, pageOfPartitions), placeholderData: keepPreviousData })),
    combine: (results) => new Map(results.flatMap((r, i) => (r.data ? [[pages[i] ?? 0, r.data.partitions] as const] : []))),
  })
}

/** The newest backfills of a pipeline. */
export function useBackfills(pipeline: string) {
  return useQuery({
    queryKey: ['backfills', 'of', pipeline],
    meta: { topics: ['runs'] },
    queryFn: ({ signal }) => getJson<BackfillList>(apiUrl(['backfills'], { pipeline_id: pipeline, page_size: 50 }), signal),
    placeholderData: keepPreviousData,
  })
}

/** What a backfill would do; nothing is asked without one. */
export function useBackfillPlan(ask: CreateBackfill | undefined) {
  return useQuery({
    queryKey: ['backfills', 'plan', ask],
    enabled: ask !== undefined,
    queryFn: () => postJson<BackfillPlan>(apiUrl(['backfills', 'plan']), ask),
    placeholderData: keepPreviousData,
    retry: false,
  })
}

export function useCreateBackfill() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (ask: CreateBackfill) => postJson<Backfill>(apiUrl(['backfills']), ask),
    onSuccess: () => client.invalidateQueries({ queryKey: ['backfills'] }),
  })
}

export type BackfillAction = 'pause' | 'resume' | 'cancel' | 'retry'

/** Changes a backfill, and brings the list up to date. */
export function useChangeBackfill() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, action }: { id: string; action: BackfillAction }) => postJson<unknown>(apiUrl(['backfills', id, action]), {}),
    onSettled: () => client.invalidateQueries({ queryKey: ['backfills'] }),
  })
}
