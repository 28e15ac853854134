// What the screens ask about tables and reports about them, as hooks.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, send } from './client'
import type { Artifact, ArtifactComparison, ArtifactProfile, ArtifactVersionList, CheckHistory, DriftHistory, ReportList, Run } from './types'

const profileKey = (id: string) => ['artifacts', 'profile', id]

/** The profile of an artifact, or why there is none. */
export function useProfile(id: string) {
  return useQuery({ queryKey: profileKey(id), queryFn: ({ signal }) => getJson<ArtifactProfile>(apiUrl(['artifacts', id, 'profile']), signal), retry: false })
}

/** Has an artifact profiled. */
export function useRequestProfile(id: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => send('POST', apiUrl(['artifacts', id, 'profile'])),
    onSuccess: () => client.invalidateQueries({ queryKey: profileKey(id) }),
  })
}

/** What the same output of the same task made in other runs. */
export function useVersions(id: string) {
  return useQuery({ queryKey: ['artifacts', 'versions', id], queryFn: ({ signal }) => getJson<ArtifactVersionList>(apiUrl(['artifacts', id, 'versions']), signal), retry: false })
}

/** How an artifact differs from an earlier one. */
export function useArtifactComparison(id: string, earlier: string, key: string) {
  return useQuery({
    queryKey: ['artifacts', 'comparison', id, earlier, key],
    queryFn: ({ signal }) => getJson<ArtifactComparison>(apiUrl(['artifacts', id, 'comparison'], { with: earlier, key }), signal),
    enabled: earlier !== '',
    retry: false,
  })
}

/** The newest report of a kind of each task. */
export function useReports(kind: 'check' | 'drift') {
  return useQuery({ queryKey: ['artifacts', 'reports', kind], queryFn: ({ signal }) => getJson<ReportList>(apiUrl(['data-reports'], { kind }), signal) })
}

export function useCheckHistory(pipeline: string, task: string) {
  return useQuery({
    queryKey: ['artifacts', 'checks', pipeline, task],
    queryFn: ({ signal }) => getJson<CheckHistory>(apiUrl(['checks'], { pipeline, task }), signal),
    retry: false,
  })
}

/** The run that made an artifact. */
export function useMaker(artifact: Artifact | undefined) {
  const id = artifact?.run_id ?? ''
  return useQuery({ queryKey: ['runs', id, 'maker'], queryFn: ({ signal }) => getJson<Run>(apiUrl(['runs', id]), signal), enabled: id !== '', retry: false })
}

export function useDriftHistory(pipeline: string, task: string) {
  return useQuery({
    queryKey: ['artifacts', 'drift', pipeline, task],
    queryFn: ({ signal }) => getJson<DriftHistory>(apiUrl(['drift'], { pipeline, task }), signal),
    retry: false,
  })
}
