// What is declared as text, as files do: what it would change, and changing it.
import { keepPreviousData, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiError, apiUrl, getJson, postJson } from './client'
import type { DeclaredText, Planned } from './types'

/** Something that is there as a file would declare it. An editor begins with it, and it does not change below the hands. */
export function useDeclared(kind: string, name: string) {
  return useQuery({
    queryKey: ['declared', kind, name],
    enabled: name !== '',
    queryFn: ({ signal }) => getJson<DeclaredText>(apiUrl(['declared', kind, name]), signal),
    retry: false,
    staleTime: Infinity,
    gcTime: 0,
  })
}

/** What a text would change. */
export function usePlan(text: string) {
  return useQuery({
    queryKey: ['plan', text],
    enabled: text.trim() !== '',
    gcTime: 0,
    retry: false,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => postJson<Planned>(apiUrl(['plan']), { text }, signal),
  })
}

/** Changes what the plan says. */
export function useApply() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (text: string) => postJson<Planned>(apiUrl(['apply']), { text }),
    // The text that an editor has begun with is not read again: it would take the editor away where that fails.
    onSettled: () => client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== 'declared' }),
  })
}

/** What is wrong with a text, by line; nothing where the error is not about it. */
export function problemsOf(error: Error | null): { line: number; message: string }[] {
  if (!(error instanceof ApiError)) return []
  return [...error.fields]
    .filter(([place]) => place.startsWith('text:'))
    .map(([place, message]) => ({ line: Number(place.slice('text:'.length)), message }))
    .toSorted((a, b) => a.line - b.line)
}
