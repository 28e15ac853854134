// What the screens ask about endpoints and rollouts, as hooks. The server tells of requests too, while there are some.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, postJson, send } from './client'
import type { DeployModel, Endpoint, EndpointEventList, EndpointList, GraphCheck, GraphSpec, GraphText, InferenceGraph, InferenceGraphList, RolloutList, RolloutReport, RolloutStatus, StartRollout, TrafficPlan } from './types'

const topic = 'endpoints'

export function useEndpoints() {
  return useQuery({ queryKey: [topic, 'list'], queryFn: ({ signal }) => getJson<EndpointList>(apiUrl(['endpoints']), signal) })
}

export function useEndpoint(name: string) {
  return useQuery({ queryKey: [topic, 'one', name], queryFn: ({ signal }) => getJson<Endpoint>(apiUrl(['endpoints', name]), signal), retry: false })
}

/** Inference graphs, which answer by asking endpoints. */
export function useGraphs() {
  return useQuery({ queryKey: [topic, 'graphs'], queryFn: ({ signal }) => getJson<InferenceGraphList>(apiUrl(['graphs']), signal) })
}

export function useGraph(name: string) {
  return useQuery({ queryKey: [topic, 'graph', name], queryFn: ({ signal }) => getJson<InferenceGraph>(apiUrl(['graphs', name]), signal), retry: false })
}

/** A graph as a file declares it, as it is now: an editor begins with it, and it does not change below the hands. */
export function useGraphText(name: string) {
  return useQuery({ queryKey: ['graph text', name], queryFn: ({ signal }) => getJson<GraphText>(apiUrl(['graphs', name, 'text']), signal), retry: false, staleTime: Infinity, gcTime: 0 })
}

/** What a text would make of a graph, and what is wrong with it. It is asked again when the graph is at another generation. */
export function useGraphCheck(name: string, generation: number | undefined, text: string | undefined) {
  return useQuery({
    queryKey: ['graph check', name, generation, text],
    enabled: text !== undefined,
    gcTime: 0,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => postJson<GraphCheck>(apiUrl(['graphs', name, 'check']), { text }, signal),
  })
}

/** Pages of what happened to an endpoint, newest first. */
export function useEndpointEvents(name: string) {
  const limit = 50
  return useInfiniteQuery({
    queryKey: [topic, 'events', name],
    initialPageParam: 0,
    queryFn: ({ pageParam, signal }) => getJson<EndpointEventList>(apiUrl(['endpoints', name, 'events'], { limit, before: pageParam || undefined }), signal),
    getNextPageParam: (last) => (last.events.length === limit ? last.events.at(-1)?.id : undefined),
  })
}

export function useRollouts(name: string) {
  return useQuery({ queryKey: [topic, 'rollouts', name], queryFn: ({ signal }) => getJson<RolloutList>(apiUrl(['endpoints', name, 'rollouts']), signal) })
}

export function useRolloutReport(id: string) {
  return useQuery({ queryKey: [topic, 'report', id], queryFn: ({ signal }) => getJson<RolloutReport>(apiUrl(['rollouts', id, 'report']), signal), retry: false })
}

/** Where a rollout is saved from. */
export const rolloutFile = (id: string, format: 'html' | 'json') => apiUrl(['rollouts', id, 'export'], { format })

/** Does something to an endpoint, and brings what is shown up to date. */
function useEndpointChange<In, Out>(mutationFn: (input: In) => Promise<Out>) {
  const client = useQueryClient()
  return useMutation({ mutationFn, onSettled: () => client.invalidateQueries({ queryKey: [topic] }) })
}

export const useDeploy = () =>
  useEndpointChange(({ name, ...ask }: DeployModel & { name: string }) => postJson<Endpoint>(apiUrl(['endpoints', name, 'deploy']), ask))

export const useSetTraffic = (name: string) => useEndpointChange((plan: TrafficPlan) => send('PUT', apiUrl(['endpoints', name, 'traffic']), plan))

/** Gives a graph another specification, unless it is at another generation by now. */
export const usePutGraph = (name: string) =>
  useEndpointChange(({ spec, generation }: { spec: GraphSpec; generation: number }) => send('PUT', apiUrl(['graphs', name], { generation }), spec))

export const useDeleteGraph = (name: string) => useEndpointChange(() => send('DELETE', apiUrl(['graphs', name])))

export const useStartRollout = (name: string) => useEndpointChange((ask: StartRollout) => postJson<RolloutStatus>(apiUrl(['endpoints', name, 'rollout']), ask))

export type RolloutCommand = 'pause' | 'resume' | 'abort' | 'promote'

export const useCommandRollout = (name: string) =>
  useEndpointChange(({ command, ...body }: { command: RolloutCommand; reason?: string; version?: string }) =>
    postJson<RolloutStatus>(apiUrl(['endpoints', name, 'rollout', command]), body),
  )

/** Deletes an endpoint; what was known of it is asked for no more. */
export function useUndeploy(name: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => send('DELETE', apiUrl(['endpoints', name])),
    onSuccess: () => client.invalidateQueries({ queryKey: [topic, 'list'] }),
  })
}
