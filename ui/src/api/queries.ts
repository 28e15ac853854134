// Everything the screens ask the server, as hooks.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { apiUrl, type ApiError, getHead, getJson, type Head, send } from './client'
import { takeEarly } from './early'
import { emptyView, RunGatherer, type RunView } from './runView'
import { follow } from './sse'
import { type CacheExplanation, type ExperimentList, type FileList, type Info, isFinal, type LogLine, type LogList, type Run, type Task } from './types'

/** Names of experiments by id. */
export function useExperiments() {
  const url = apiUrl(['experiments'], { page_size: 200, archived: 'any' })
  return useQuery({
    queryKey: ['experiments'],
    initialData: () => takeEarly<ExperimentList>(url),
    queryFn: ({ signal }) => getJson<ExperimentList>(url, signal),
    staleTime: 60_000,
    select: (list) => new Map(list.experiments.map((e) => [e.id, e.display_name])),
  })
}

export function useInfo() {
  const url = apiUrl(['info'])
  return useQuery({
    queryKey: ['info'],
    initialData: () => takeEarly<Info>(url),
    queryFn: ({ signal }) => getJson<Info>(url, signal),
    staleTime: Infinity,
  })
}

export interface LiveRun extends RunView {
  error: ApiError | undefined
}

/**
 * Changes are shown at once, but a run may tell hundreds in a second: between two pictures the page rests a few times as long as the last
 * one took, in milliseconds at least so long, but no longer than lets a change that comes meanwhile be on the screen within this time.
 */
const pace = { least: 30, times: 3, within: 150 }

const restAfter = (took: number) => Math.max(pace.least, Math.min(took * pace.times, pace.within - took))

/** A run of more tasks takes some work to show. */
const many = 200

/**
 * Follows a run; a caller shows one run for as long as it lives. A run that was retried, here or elsewhere, is followed again. While its
 * tasks come onMany is told, maybe often, when they are many.
 */
export function useLiveRun(id: string, onMany: () => void): LiveRun {
  const [view, setView] = useState<RunView>(emptyView)
  const [error, setError] = useState<ApiError>()
  const [round, setRound] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    let gathered = new RunGatherer()
    let timer: ReturnType<typeof setTimeout> | undefined
    let next = 0
    const show = () => {
      timer = undefined
      const start = performance.now()
      setView(gathered.view())
      // React has drawn it when the next task begins.
      setTimeout(() => {
        const now = performance.now()
        next = now + restAfter(now - start)
      })
    }
    void follow(apiUrl(['runs', id, 'events']), abort.signal, {
      onError: setError,
      onConnect: () => {
        // A retry may have taken tasks away: what the server tells from the beginning replaces what is known.
        gathered = new RunGatherer()
        clearTimeout(timer)
        timer = undefined
      },
      onEvents: (events) => {
        gathered.add(events)
        if (gathered.size > many) onMany()
        if (gathered.complete) timer ??= setTimeout(show, Math.max(0, next - performance.now()))
      },
    })
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [id, round, onMany])
  const goesOn = useGoesOn(view, id, round)
  useEffect(() => {
    if (!goesOn) return
    setView((old) => ({ ...old, ended: false }))
    setRound((old) => old + 1)
  }, [goesOn])
  return useMemo(() => ({ ...view, error }), [view, error])
}

/** Says whether a run whose stream has ended is no longer what the stream told. Retrying it here asks at once. */
function useGoesOn(view: RunView, id: string, round: number): boolean {
  const now = useQuery({
    queryKey: ['runs', id, 'goes on', round],
    enabled: view.ended,
    queryFn: ({ signal }) => getJson<Run>(apiUrl(['runs', id]), signal),
  })
  return view.ended && now.data !== undefined && now.data.finished_at !== view.run?.finished_at
}

/** Why a step's result was reused, or why not. It is asked for once the step has its key or has ended. */
export function useCacheExplanation(task: Task) {
  return useQuery({
    queryKey: ['cache', task.id, task.state, task.attempts],
    enabled: task.kind === 'container' && (isFinal(task.state) || task.attempts > 0),
    queryFn: ({ signal }) => getJson<CacheExplanation>(apiUrl(['runs', task.run_id, 'tasks', task.id, 'cache']), signal),
    staleTime: Infinity,
  })
}

export function useCancelRun(id: string) {
  return useMutation({ mutationFn: () => send('POST', apiUrl(['runs', id, 'cancel'])) })
}

export function useRetryRun(id: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => send('POST', apiUrl(['runs', id, 'retry'])),
    onSuccess: () => client.invalidateQueries({ queryKey: ['runs', id] }),
  })
}

/** The end of the log of a task's newest attempt. */
export function useLastLines(task: Task, enabled: boolean) {
  return useQuery({
    queryKey: ['last-lines', task.id, task.attempts, task.state],
    enabled: enabled && isFinal(task.state),
    queryFn: ({ signal }) => getJson<LogList>(apiUrl(['runs', task.run_id, 'tasks', task.id, 'logs'], { limit: 60 }), signal),
    staleTime: Infinity,
  })
}

export interface LogSource {
  runId: string
  taskId: string
  attempt: number
}

export interface LogSink {
  onLines: (lines: LogLine[]) => void
  onRestart: () => void
}

export interface LogStatus {
  error: string | undefined
  ended: boolean
}

/** Reads the log of an attempt and follows it until the task has ended; a caller shows one attempt for as long as it lives. */
export function useLogStream({ runId, taskId, attempt }: LogSource, sink: LogSink): LogStatus {
  const [status, setStatus] = useState<LogStatus>({ error: undefined, ended: false })
  const latest = useRef(sink)
  useEffect(() => {
    latest.current = sink
  })
  useEffect(() => {
    const abort = new AbortController()
    void follow(apiUrl(['runs', runId, 'tasks', taskId, 'logs'], { attempt, follow: true }), abort.signal, {
      onConnect: () => latest.current.onRestart(),
      onError: (error) => setStatus((old) => ({ ...old, error: error?.message })),
      onEvents: (events) => {
        const lines = events.filter((e) => e.event === 'line').map((e) => JSON.parse(e.data) as LogLine)
        if (lines.length > 0) latest.current.onLines(lines)
        const failure = events.find((e) => e.event === 'failure')
        if (failure) setStatus({ error: failureText(failure.data), ended: true })
        if (events.some((e) => e.event === 'end')) setStatus((old) => ({ ...old, ended: true }))
      },
    })
    return () => abort.abort()
  }, [runId, taskId, attempt])
  return status
}

function failureText(data: string): string {
  const problem = JSON.parse(data) as { detail?: string }
  return problem.detail ?? 'Reading the log broke off.'
}

export function useFiles(artifactId: string, enabled: boolean) {
  return useQuery({
    queryKey: ['files', artifactId],
    enabled,
    queryFn: ({ signal }) => getJson<FileList>(apiUrl(['artifacts', artifactId, 'files']), signal),
    staleTime: Infinity,
  })
}

/** The first bytes at an address, enough to show what is there. They are asked for again when the file may have been replaced. */
export function useHead(url: string, limit: number, staleTime = 0) {
  return useQuery<Head>({ queryKey: ['content', url, limit], queryFn: ({ signal }) => getHead(url, limit, signal), staleTime, gcTime: 60_000 })
}
