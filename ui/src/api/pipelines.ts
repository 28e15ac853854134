// What the screens ask about pipelines, their versions and forms, as hooks.
import { keepPreviousData, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, getText, postJson } from './client'
import type {
  CreateRecurring,
  PipelineDetail,
  PipelineList,
  PipelineVersion,
  RecurringRun,
  Run,
  RunOutline,
  ScheduleTimes,
  SubmitRun,
  Trigger,
  VersionList,
} from './types'

/** Pages of pipelines whose name contains q, newest first. */
export function usePipelines(q: string) {
  return useInfiniteQuery({
    queryKey: ['pipelines', 'list', q],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => getJson<PipelineList>(apiUrl(['pipelines'], { page_size: 100, page_token: pageParam, q }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
    placeholderData: keepPreviousData,
  })
}

/** A pipeline with its newest versions and runs, and with what one version, or two, are made of. */
export function usePipeline(id: string, version: string, against = '') {
  return useQuery({
    queryKey: ['pipelines', id, version, against],
    queryFn: ({ signal }) => getJson<PipelineDetail>(apiUrl(['pipelines', id], { version, against }), signal),
    placeholderData: keepPreviousData,
  })
}

/** Pages of the versions of a pipeline beyond the first, which usePipeline has. */
export function useMoreVersions(id: string, token: string) {
  return useInfiniteQuery({
    queryKey: ['pipelines', id, 'versions', token],
    enabled: false,
    initialPageParam: token,
    queryFn: ({ pageParam, signal }) => getJson<VersionList>(apiUrl(['pipelines', id, 'versions'], { page_size: 50, page_token: pageParam }), signal),
    getNextPageParam: (last) => last.next_page_token || undefined,
  })
}

/** Where the specification of a version or a run is as YAML. */
export function versionYamlUrl(pipeline: string, version: string, download = false): string {
  return apiUrl(['pipelines', pipeline, 'versions', version, 'yaml'], { download: download || undefined })
}

export function runYamlUrl(run: string, download = false): string {
  return apiUrl(['runs', run, 'yaml'], { download: download || undefined })
}

/** A text that never changes. */
export function useText(url: string) {
  return useQuery({ queryKey: ['text', url], queryFn: ({ signal }) => getText(url, signal), staleTime: Infinity, gcTime: 60_000 })
}

/** A run with what its pipeline takes: for a form that repeats it. */
export function useRunOutline(id: string) {
  return useQuery({
    queryKey: ['runs', id, 'outline'],
    queryFn: ({ signal }) => getJson<RunOutline>(apiUrl(['runs', id, 'outline']), signal),
    staleTime: Infinity,
  })
}

export interface Upload {
  spec: string
  name: string
}

/** Stores a compiled pipeline: a version of a pipeline, or without one a new pipeline. */
export function useUpload(pipeline: string | undefined) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (body: Upload) => postJson<PipelineVersion>(apiUrl(pipeline === undefined ? ['pipelines'] : ['pipelines', pipeline, 'versions']), body),
    onSuccess: () => client.invalidateQueries({ queryKey: ['pipelines'] }),
  })
}

export function useSubmit() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (body: SubmitRun) => postJson<Run>(apiUrl(['runs']), body),
    onSuccess: () => client.invalidateQueries({ queryKey: ['pipelines'] }),
  })
}

export function useCreateRecurring() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (body: CreateRecurring) => postJson<RecurringRun>(apiUrl(['recurring-runs']), body),
    onSuccess: () => Promise.all([client.invalidateQueries({ queryKey: ['recurring'] }), client.invalidateQueries({ queryKey: ['recurring-runs'] })]),
  })
}

/** The next times of a trigger; nothing is asked without one. */
export function useNextTimes(trigger: Trigger | undefined) {
  return useQuery({
    queryKey: ['schedule', trigger],
    enabled: trigger !== undefined,
    queryFn: ({ signal }) => getJson<ScheduleTimes>(apiUrl(['schedule'], { ...trigger, n: 5 }), signal),
    placeholderData: keepPreviousData,
    retry: false,
  })
}
