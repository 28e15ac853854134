// What a notice of a change means for what the screens have read: which of it is asked for again, and when.
import type { Query, QueryClient } from '@tanstack/react-query'

/** Says that something of a topic has changed: the things of these ids, or with none anything. */
export interface Change {
  topic: string
  ids?: readonly string[]
}

export const topics = ['runs', 'tracked-runs', 'experiments', 'models', 'pipelines', 'recurring-runs', 'backfills', 'artifacts', 'endpoints', 'system'] as const

declare module '@tanstack/react-query' {
  interface Register {
    queryMeta: {
      /** The things of its topic that an answer shows, when its key does not name them: it is asked for again when one of these changes. */
      ids?: (data: unknown) => readonly string[]
      /** Other topics that the answer shows, besides the one that its key begins with. */
      topics?: readonly string[]
    }
  }
}

/** What changes all the time is asked for once in this time, in milliseconds. */
const gap = 500
/** Nor does asking take more than this part of the time. */
const share = 5
/** After a quiet time so many changes are followed at once: a run that starts and ends is shown as it does. */
const burst = 4

interface Entry {
  /** How often it may be asked for at once, as of a moment. */
  credit: number
  at: number
  /** How long the last answer took. */
  took: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/**
 * Asks again for what is shown when it has changed. The key of a query begins with its topic. Where the next part of the key is an id, or a
 * list of ids, only changes of these concern it.
 */
export class Refresher {
  readonly #client: QueryClient
  readonly #hidden: () => boolean
  readonly #entries = new Map<string, Entry>()

  constructor(client: QueryClient, hidden: () => boolean = () => document.hidden) {
    this.#client = client
    this.#hidden = hidden
    client.getQueryCache().subscribe(({ type, query }) => {
      if (type !== 'removed') return
      clearTimeout(this.#entries.get(query.queryHash)?.timer)
      this.#entries.delete(query.queryHash)
    })
  }

  change({ topic, ids }: Change): void {
    const changed = ids && new Set(ids)
    for (const query of this.#client.getQueryCache().getAll()) {
      const own = query.queryKey[0] === topic
      if (own ? !changed || concerns(query, changed) : query.meta?.topics?.includes(topic)) this.#refresh(query)
    }
  }

  #refresh(query: Query): void {
    // What nobody looks at is read when somebody does.
    if (!query.isActive() || this.#hidden()) {
      query.invalidate()
      return
    }
    const entry = this.#entries.get(query.queryHash) ?? { credit: burst, at: Date.now(), took: 0, timer: undefined }
    this.#entries.set(query.queryHash, entry)
    if (entry.timer !== undefined) return
    const every = Math.max(gap, share * entry.took)
    const now = Date.now()
    entry.credit = Math.min(burst, entry.credit + (now - entry.at) / every)
    entry.at = now
    entry.timer = setTimeout(() => this.#ask(query, entry), Math.max(0, (1 - entry.credit) * every))
    entry.credit -= 1
  }

  #ask(query: Query, entry: Entry): void {
    // An answer that is on its way may be older than the change.
    if (query.state.fetchStatus === 'fetching') {
      entry.timer = setTimeout(() => this.#ask(query, entry), 20)
      return
    }
    entry.timer = undefined
    const began = Date.now()
    const done = () => {
      entry.took = Date.now() - began
    }
    this.#client.refetchQueries({ queryKey: query.queryKey, exact: true, type: 'active' }).then(done, done)
  }
}

function concerns(query: Query, changed: ReadonlySet<string>): boolean {
  const shown = query.meta?.ids && query.state.data !== undefined ? query.meta.ids(query.state.data) : idsIn(query.queryKey[1])
  return shown === undefined || shown.some((id) => changed.has(id))
}

/** Ids are UUIDs, with or without hyphens. */
const id = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i

function idsIn(part: unknown): readonly string[] | undefined {
  const list = Array.isArray(part) ? (part as unknown[]) : [part]
  return list.length > 0 && list.every((one) => typeof one === 'string' && id.test(one)) ? (list as string[]) : undefined
}
