// What the screens ask about artifacts and lineage, as hooks.
import { keepPreviousData, useInfiniteQuery, useQueries, useQuery } from '@tanstack/react-query'
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

const lineageQuery = (node: string, direction: Way, depth: number) => ({
  queryKey: ['artifacts', 'lineage', node, direction, depth],
  queryFn: ({ signal }: { signal: AbortSignal }) => getJson<LineageGraph>(apiUrl(['lineage'], { node, direction, depth }), signal),
})

/** The lineage of a node. */
export function useLineage(node: string, direction: Way) {
  return useQuery({ ...lineageQuery(node, direction, 8), retry: false })
}

/** What lies further on from nodes that were opened, "up ID" and "down ID". */
export function useMoreLineage(opened: readonly string[]) {
  return useQueries({
    queries: opened.map((entry) => {
      const [way = 'up', ...node] = entry.split(' ')
      return lineageQuery(node.join(' '), way === 'down' ? 'down' : 'up', 2)
    }),
  })
}
