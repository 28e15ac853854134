// Groups of runs, as the address names them and as rows of a table.
import type { TrackedGroup, TrackedRun } from '../api/types'
import type { GroupValue } from '../api/tracking'

/** A group as the address has it: a value stands behind "=", so that "none" can be told from a value of that name. */
export const groupName = (value: GroupValue) => (value === undefined ? 'none' : `=${value}`)

/** The value of a group that the address names; null where it names none. */
export function groupValue(name: string): GroupValue | null {
  if (name === 'none') return undefined
  return name.startsWith('=') ? name.slice(1) : null
}

export type GroupRow = { key: string; group: TrackedGroup; open: boolean } | { key: string; run: TrackedRun } | { key: string; note: string; only?: GroupValue | null }

interface Members {
  runs: readonly TrackedRun[] | undefined
  total: number
  error: string | undefined
}

/** The groups, with the first runs of those that are open beneath them; membersOf gives undefined for a group that is not. */
export function groupRows(groups: readonly TrackedGroup[], membersOf: (name: string) => Members | undefined): GroupRow[] {
  return groups.flatMap((group): GroupRow[] => {
    const name = groupName(group.value)
    const members = membersOf(name)
    const head: GroupRow = { key: name, group, open: members !== undefined }
    if (!members) return [head]
    if (members.error) return [head, { key: `${name} note`, note: members.error }]
    if (!members.runs) return [head, { key: `${name} note`, note: 'Loading…' }]
    const rows = members.runs.map((run): GroupRow => ({ key: `${name}/${run.id}`, run }))
    const rest = members.total - members.runs.length
    return rest > 0 ? [head, ...rows, { key: `${name} note`, note: `and ${rest.toLocaleString('en-GB')} more`, only: group.value }] : [head, ...rows]
  })
}

const words: Record<string, string> = { FINISHED: 'finished', FAILED: 'failed', RUNNING: 'running', SCHEDULED: 'scheduled', KILLED: 'killed' }

/** The statuses of a group in words: "8 finished, 1 failed". */
export function statusesOf(statuses: Record<string, number>): string {
  return Object.entries(words)
    .flatMap(([status, word]) => (statuses[status] ? [`${statuses[status].toLocaleString('en-GB')} ${word}`] : []))
    .join(', ')
}

/** What runs are grouped by, in words. */
export function byWords(by: string): string {
  if (by.startsWith('params.')) return by.slice('params.'.length)
  if (by.startsWith('tags.')) return by.slice('tags.'.length)
  return by
}
