// What the screens ask about artifacts and lineage, as hooks.
import { keepPreviousData, type UseQueryResult, useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from './client'
import type { Artifact, ArtifactList, LineageGraph } from './types'

export function useArtifact(id: string) {
  return useQuery({ queryKey: ['artifacts', id], queryFn: ({ signal }) => getJson<Artifact>(apiUrl(['artifacts', id]), signal) })
}

/** Pages of artifacts, newest first. */
export function useArtifactList(q: string, type: string) {
  return useInfiniteQuery({
    queryKey: ['artifacts', 'list', q, type],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<ArtifactList>(apiUrl(['artifacts'], { page_size: 100, page_token: pageParam, q, schema_title: type }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

export type Way = 'up' | 'down' | 'both'

const lineageQuery = (node: string, direction: Way, depth: number, more?: { neighbours: number; skip: number }) => ({
  queryKey: ['artifacts', 'lineage', node, direction, depth, more],
  meta: { topics: ['endpoints'] },
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<LineageGraph>(apiUrl(['lineage'], { node, direction, depth, ...more }), signal),
})

/** The lineage of a node. */
export function useLineage(node: string, direction: Way) {
  return useQuery({ ...lineageQuery(node, direction, 8), retry: false })
}

/** So many neighbours of a node come each time that it is opened. */
const neighbours = 100

/** What was answered so far, the same object until more is, and the first error. */
const answered = (all: readonly UseQueryResult<LineageGraph>[]) => ({
  answers: all.flatMap((one) => one.data ?? []),
  error: all.find((one) => one.error)?.error,
})

/** What lies further on from nodes that were opened: "up ID" and "down ID", and once more for the next neighbours. */
export function useMoreLineage(opened: readonly string[]) {
  return useQueries({
    queries: opened.map((entry, i) => {
      const [way = 'up', ...node] = entry.split(' ')
      const before = opened.slice(0, i).filter((other) => other === entry).length
      return lineageQuery(node.join(' '), way === 'down' ? 'down' : 'up', 2, { neighbours, skip: before * neighbours })
    }),
    combine: answered,
  })
}
