// The rows of a table whose runs lie beneath each other.
import type { TrackedRun } from '../api/types'

export interface Row {
  key: string
  depth: number
  /** Absent in a row that only says something. */
  run?: TrackedRun
  note?: string
}

export interface Children {
  /** Undefined until the answer is there. */
  runs: readonly TrackedRun[] | undefined
  total: number
  error: string | undefined
}

/** Puts the runs beneath those that are open; childrenOf gives undefined for a run that is not. */
export function rowsOf(runs: readonly TrackedRun[], childrenOf: (id: string) => Children | undefined): Row[] {
  const rows: Row[] = []
  const add = (list: readonly TrackedRun[], depth: number, path: string) => {
    for (const run of list) {
      const key = `${path}/${run.id}`
      rows.push({ key, depth, run })
      const children = childrenOf(run.id)
      if (!children) continue
      const note = (text: string) => rows.push({ key: `${key} note`, depth: depth + 1, note: text })
      if (children.error) note(children.error)
      else if (!children.runs) note('Loading…')
      else {
        add(children.runs, depth + 1, key)
        if (children.runs.length < children.total) note(`and ${children.total - children.runs.length} more: turn Nested off and filter to find them`)
        if (children.total === 0) note('None of the runs beneath matches the filter.')
      }
    }
  }
  add(runs, 0, '')
  return rows
}

/** The runs of all pages, each once: while runs are added, the end of a page comes again at the beginning of the next. */
export function runsOf(pages: readonly { runs: readonly TrackedRun[] }[]): TrackedRun[] {
  return [...new Map(pages.flatMap((page) => page.runs.map((run) => [run.id, run]))).values()]
}
