// What the command palette offers for a text: pages, actions and what the server found, in groups.
import type { Found, FoundKind, State } from '../api/types'
import type { IconName } from '../parts/icons'
import { groups as rooms } from '../shell/rooms'

export interface Entry {
  /** Names the entry among all. */
  id: string
  name: string
  /** What tells it from others of its name. */
  detail?: string
  icon: IconName
  state?: State
  /** Where it leads; an entry without does something. */
  href?: string
  run?: () => void
}

export interface Section {
  name: string
  entries: Entry[]
}

export interface Wanted {
  /** What is looked for, without the word that narrows it. */
  text: string
  kind?: FoundKind | 'page'
}

const kinds: Record<string, FoundKind | 'page'> = {
  run: 'run',
  pipeline: 'pipeline',
  experiment: 'experiment',
  tracked: 'tracked_run',
  model: 'model',
  artifact: 'artifact',
  recurring: 'recurring_run',
  trigger: 'trigger',
  endpoint: 'endpoint',
  graph: 'graph',
  page: 'page',
}

/** The words that narrow a search, as they are written. */
export const kindWords: readonly string[] = Object.keys(kinds)

/** Reads "run: nightly" as a search for runs; a text before a colon that is no kind, such as "sha256", is part of what is looked for. */
export function readWanted(input: string): Wanted {
  const parts = /^\s*([a-z]+)\s*:(.*)$/is.exec(input)
  const kind = parts && kinds[(parts[1] ?? '').toLowerCase().replace(/s$/, '')]
  return parts && kind ? { text: (parts[2] ?? '').trim(), kind } : { text: input.trim() }
}

/** How well a name answers a text: 0 for its beginning, 1 for the beginning of a word in it; undefined for not at all. */
export function match(name: string, text: string): number | undefined {
  const low = name.toLowerCase()
  const part = text.toLowerCase()
  if (low.startsWith(part)) return 0
  return low.split(/(?<=[\s:_-])/).some((_, i, words) => words.slice(i).join('').startsWith(part)) ? 1 : undefined
}

export function matching(entries: readonly Entry[], text: string): Entry[] {
  if (text === '') return [...entries]
  return entries
    .flatMap((entry) => {
      const rank = match(entry.name, text)
      return rank === undefined ? [] : [{ entry, rank }]
    })
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ entry }) => entry)
}

const pages: readonly Entry[] = rooms.flatMap((group) => group.rooms.map((room) => ({ id: `page ${room.href}`, name: room.name, icon: room.icon, href: room.href })))

const sectionNames: Record<FoundKind, string> = {
  run: 'Runs',
  pipeline: 'Pipelines',
  experiment: 'Experiments',
  tracked_run: 'Tracked runs',
  model: 'Models',
  artifact: 'Artifacts',
  recurring_run: 'Recurring runs',
  trigger: 'Triggers',
  endpoint: 'Endpoints',
  graph: 'Inference graphs',
}

const icons: Record<FoundKind, IconName> = {
  run: 'runs',
  pipeline: 'pipeline',
  experiment: 'flask',
  tracked_run: 'flask',
  model: 'model',
  artifact: 'artifact',
  recurring_run: 'loop',
  trigger: 'trigger',
  endpoint: 'endpoint',
  graph: 'endpoint',
}

/** The page of what was found. */
export function foundHref(f: Found): string {
  const id = encodeURIComponent(f.id)
  switch (f.kind) {
    case 'run':
      return `/runs/${id}`
    case 'pipeline':
      return `/pipelines/${id}`
    case 'experiment':
      return `/experiments/${id}`
    case 'tracked_run':
      return `/tracked-runs/${id}`
    case 'model':
      return `/models/${id}${f.version ? `?version=${f.version}` : ''}`
    case 'artifact':
      return `/artifacts/${id}`
    case 'recurring_run':
      return `/runs?recurring=${id}`
    case 'trigger':
      return `/triggers/${id}`
    case 'endpoint':
      return `/endpoints/${id}`
    case 'graph':
      return `/graphs/${id}`
  }
}

function entryOf(f: Found): Entry {
  const alias = f.alias ? `@${f.alias}` : ''
  const version = f.version ? `version ${f.version}` : ''
  const detail = f.kind === 'model' ? version : [f.detail, f.kind === 'run' || f.kind === 'artifact' ? f.id.slice(0, 8) : ''].filter(Boolean).join(' · ')
  return {
    id: `${f.kind} ${f.id} ${f.version ?? ''} ${f.alias ?? ''}`,
    name: `${f.name || f.id}${alias}`,
    icon: icons[f.kind],
    href: foundHref(f),
    ...(detail ? { detail } : {}),
    ...(f.state ? { state: f.state } : {}),
  }
}

/** Everything that is offered, in the order in which the arrow keys go through it. */
export function sections(wanted: Wanted, actions: readonly Entry[], found: readonly Found[]): Section[] {
  const out: Section[] = []
  const add = (name: string, entries: Entry[]) => {
    if (entries.length > 0) out.push({ name, entries })
  }
  if (!wanted.kind || wanted.kind === 'page') add('Pages', matching(pages, wanted.text))
  if (wanted.kind !== 'page') {
    for (const kind of Object.keys(sectionNames) as FoundKind[]) {
      // What was found for the text before is shown until the answer is there, but never what is not asked for.
      if (!wanted.kind || wanted.kind === kind) add(sectionNames[kind], found.filter((f) => f.kind === kind).map(entryOf))
    }
  }
  if (!wanted.kind) add('Actions', matching(actions, wanted.text))
  return out
}
