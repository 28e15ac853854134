// A list of runs of any length, of which only what is in sight is kept. The server gives it in pages, each of which begins after a run: its
// token says which. Known are the tokens of the pages down to the one that was scrolled to; their rows come and go.
import type { Run } from '../api/types'

export const pageSize = 100

/** A place in the list, newest first. */
interface Place {
  created_at: string
  id: string
}

export interface Link {
  /** What the page is asked for with; empty for the first. */
  token: string
  /** How many rows it has; undefined until they were there. */
  count: number | undefined
  /** The row that it ended with when it came first: where the next one begins. */
  last: Place | undefined
}

export interface Answer {
  runs: readonly Run[]
  next_page_token?: string
}

export const beginning: readonly Link[] = [{ token: '', count: undefined, last: undefined }]

const next = (answer: Answer): Link[] => (answer.next_page_token ? [{ token: answer.next_page_token, count: undefined, last: undefined }] : [])

/**
 * What is known of the pages once one of them has come. The first page moves when runs begin: the ones after it begin elsewhere then, and
 * are asked for when they are scrolled to. The others keep their place.
 */
export function arrived(links: readonly Link[], at: number, answer: Answer): readonly Link[] {
  const link = links[at]
  if (!link) return links
  const last = answer.runs.at(-1)
  if (at === 0) {
    const moved = next(answer)
    if (link.count === answer.runs.length && links[1]?.token === moved[0]?.token) return links
    return [{ token: '', count: answer.runs.length, last }, ...moved]
  }
  if (link.last) {
    const count = within(link, answer.runs).length
    return count === link.count ? links : links.with(at, { ...link, count })
  }
  return [...links.slice(0, at), { ...link, count: answer.runs.length, last }, ...next(answer)]
}

/** The rows of a page: those down to where the next page begins. */
export function within(link: Link, runs: readonly Run[]): readonly Run[] {
  const { last } = link
  if (!last || link.token === '') return runs
  return runs.filter((run) => !after(run, last))
}

/** Says whether a run stands further down than a place. */
function after(run: Place, place: Place): boolean {
  const [a, b] = [Date.parse(run.created_at), Date.parse(place.created_at)]
  if (a !== b) return a < b
  // Within the same millisecond what follows it decides.
  if (run.created_at !== place.created_at) return fraction(run.created_at) < fraction(place.created_at)
  return run.id < place.id
}

const fraction = (time: string) => Number(`0.${/\.(\d+)/.exec(time)?.[1] ?? '0'}`)

/** How many rows a list has: those of the pages that are known, and those of one more that is not. */
export function rowsOf(links: readonly Link[], total: number): number {
  let known = 0
  for (const link of links) known += link.count ?? Math.max(1, Math.min(pageSize, total - known))
  return known
}

/** The pages that have rows from one index to another. */
export function pagesIn(links: readonly Link[], from: number, to: number): number[] {
  const out: number[] = []
  let first = 0
  for (const [at, link] of links.entries()) {
    const end = first + (link.count ?? pageSize)
    if (first <= to && end > from) out.push(at)
    first = end
  }
  return out
}

/** The page that a row is on, and its place there. */
export function placeOf(links: readonly Link[], index: number): { page: number; row: number } | undefined {
  let first = 0
  for (const [page, link] of links.entries()) {
    const count = link.count ?? Infinity
    if (index < first + count) return { page, row: index - first }
    first += count
  }
  return undefined
}
