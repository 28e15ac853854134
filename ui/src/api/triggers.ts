// What the screens ask about triggers, as hooks. The server tells of their changes with those of recurring runs.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, postJson, send } from './client'
import type { Firing, FiringList, TriggerDetail, TriggerList, Verdict } from './types'

const topic = 'recurring-runs'

/** Pages of triggers, newest first. */
export function useTriggers(q: string) {
  return useInfiniteQuery({
    queryKey: [topic, 'triggers', 'list', q],
    meta: { topics: ['pipelines'] },
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<TriggerList>(apiUrl(['triggers'], { page_size: 50, page_token: pageParam, q }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

/** A trigger with what it will do next. */
export function useTrigger(id: string) {
  return useQuery({
    queryKey: [topic, 'triggers', 'one', id],
    // Runs that end make room for what waits.
    meta: { topics: ['runs', 'pipelines'] },
    queryFn: ({ signal }) => getJson<TriggerDetail>(apiUrl(['triggers', id]), signal),
  })
}

/** Pages of what a trigger made of events, newest first; state narrows them. */
export function useFirings(id: string, state: string) {
  return useInfiniteQuery({
    queryKey: [topic, 'triggers', 'firings', id, state],
    meta: { topics: ['runs'] },
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<FiringList>(apiUrl(['triggers', id, 'firings'], { page_size: 50, page_token: pageParam, state }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

/** What a trigger would make of an event; nothing is asked without one. */
export function useVerdict(id: string, data: unknown) {
  return useQuery({
    queryKey: [topic, 'triggers', 'verdict', id, data],
    enabled: data !== undefined,
    queryFn: () => postJson<Verdict>(apiUrl(['triggers', id, 'test']), { data }),
    placeholderData: keepPreviousData,
    retry: false,
  })
}

/** Fires a trigger by hand; with one key it is done once, however often it is asked for. */
export function useFire(id: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ data, key }: { data: unknown; key: string }) => postJson<Firing>(apiUrl(['triggers', id, 'fire']), { data, key }),
    onSettled: () => client.invalidateQueries({ queryKey: [topic, 'triggers'] }),
  })
}

export type TriggerAction = 'pause' | 'resume' | 'delete'

/** Pauses, resumes or deletes a trigger, and brings what is shown up to date. */
export function useChangeTrigger() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: ({ id, action }: { id: string; name: string; action: TriggerAction }) =>
      action === 'delete' ? send('DELETE', apiUrl(['triggers', id])) : send('POST', apiUrl(['triggers', id, action])),
    onSettled: (_data, error, { action }) =>
      client.invalidateQueries({ queryKey: [topic, 'triggers', ...(action === 'delete' && !error ? ['list'] : [])] }),
  })
}
