// What looks after data. A monitor is nothing of its own on the server: a pipeline of a name that begins so, and what starts it.
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { when } from '../format/schedule'
import { sourceWords } from '../triggers/words'
import { apiUrl, getJson } from './client'
import type { RecurringList, RunList, TriggerList } from './types'

const prefix = 'monitor-'
const most = 200

export interface Monitor {
  name: string
  pipeline: string
  /** When it looks, in words. */
  looks: string
  paused: boolean
  /** The page of what starts it. */
  href: string
}

/** The monitors, by name. */
export function useMonitors(): { monitors: Monitor[]; error: Error | null; pending: boolean } {
  const recurring = useQuery({
    queryKey: ['recurring-runs', 'monitors'],
    queryFn: ({ signal }) => getJson<RecurringList>(apiUrl(['recurring-runs'], { q: prefix, page_size: most }), signal),
  })
  const triggers = useQuery({
    queryKey: ['triggers', 'monitors'],
    meta: { topics: ['runs'] },
    queryFn: ({ signal }) => getJson<TriggerList>(apiUrl(['triggers'], { q: prefix, page_size: most }), signal),
  })
  const monitors = [
    ...(recurring.data?.recurring_runs ?? []).map((r) => ({ pipeline: r.display_name, looks: when(r.trigger), paused: !r.enabled, href: `/recurring-runs/${r.id}` })),
    // What tells of it and what follows it has its name, too; those listen to runs.
    ...(triggers.data?.triggers ?? []).filter((t) => t.on.file ?? t.on.artifact).map((t) => ({ pipeline: t.display_name, looks: sourceWords(t.on), paused: t.paused, href: `/triggers/${t.id}` })),
  ]
    .filter((m) => m.pipeline.startsWith(prefix))
    .map((m) => ({ ...m, name: m.pipeline.slice(prefix.length) }))
    .toSorted((a, b) => a.name.localeCompare(b.name))
  return { monitors, error: recurring.error ?? triggers.error, pending: recurring.isPending || triggers.isPending }
}

/** The newest run of a pipeline by its name. */
export function useLastOf(pipeline: string) {
  return useQuery({
    queryKey: ['runs', 'newest of', pipeline],
    queryFn: ({ signal }) => getJson<RunList>(apiUrl(['runs'], { pipeline, page_size: 1, archived: 'any' }), signal),
    placeholderData: keepPreviousData,
    select: (list) => list.runs[0],
  })
}
