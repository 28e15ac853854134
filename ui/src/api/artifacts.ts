// What the screens ask about artifacts and lineage, as hooks.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from './client'
import type { Artifact, ArtifactList } from './types'

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
