// The critical path: the tasks of which each made the next one wait, up to the one that ended last. Had one of them been quicker,
// the run could have been. It is found from dependencies and real times.
import type { Task } from '../api/types'
import { ancestors, type Tree } from '../graph/tree'
import { isLeaf } from '../api/types'
import { spansOf, tookPart } from './spans'

export interface CriticalPath {
  /** Leaves, first to last. */
  tasks: readonly Task[]
  /** Their paths and those of the groups around them. */
  paths: ReadonlySet<string>
}

/** The path as far as the run has come: while it goes on, it ends with what has been running longest. */
export function criticalPath(tree: Tree): CriticalPath {
  const latest = latestLeaves(tree)
  const turns = new Turns(tree)
  const tasks: Task[] = []
  const seen = new Set<string>()
  for (let at = latest.get(''); at && !seen.has(at.path); at = before(tree, latest, turns, at)) {
    seen.add(at.path)
    tasks.push(at)
  }
  tasks.reverse()
  const paths = new Set<string>()
  for (const task of tasks) for (const part of [task, ...ancestors(tree, task.path)]) paths.add(part.path)
  return { tasks, paths }
}

export interface PathTimes {
  running: number
  preparing: number
}

/** What the tasks of the path did. */
export function timesOf({ tasks }: CriticalPath, now: number): PathTimes {
  const times = { running: 0, preparing: 0 }
  for (const task of tasks) {
    for (const { kind, from, to } of spansOf(task, now)) {
      if (kind === 'running') times.running += to - from
      if (kind === 'preparing' || kind === 'cached') times.preparing += to - from
    }
  }
  return times
}

const endOf = (task: Task) => (task.finished_at ? Date.parse(task.finished_at) : Infinity)
const beginOf = (task: Task) => Date.parse(task.ready_at ?? task.started_at ?? task.created_at)

/** Of two tasks the one that ended later; of two that go on, the one that began earlier. */
function later(a: Task | undefined, b: Task): Task {
  if (!a) return b
  const [endA, endB] = [endOf(a), endOf(b)]
  if (endA !== endB) return endA > endB ? a : b
  return beginOf(a) <= beginOf(b) ? a : b
}

/** For each group the leaf below it that ended last; the key of the run is "". */
function latestLeaves(tree: Tree): Map<string, Task> {
  const latest = new Map<string, Task>()
  for (const leaf of tree.byPath.values()) {
    if (!tookPart(leaf)) continue
    for (let at: string | undefined = leaf.parent ?? ''; at !== undefined; at = at === '' ? undefined : (tree.byPath.get(at)?.parent ?? '')) {
      latest.set(at, later(latest.get(at), leaf))
    }
  }
  return latest
}

/** The leaf that a task waited for last: one before it, else one before a group around it. */
function before(tree: Tree, latest: Map<string, Task>, turns: Turns, task: Task): Task | undefined {
  for (let at: Task | undefined = task; at; at = tree.byPath.get(at.parent ?? '')) {
    const found = dependency(tree, latest, at) ?? turns.before(at, latest)
    if (found) return found
  }
  return undefined
}

function leafOf(task: Task | undefined, latest: Map<string, Task>): Task | undefined {
  if (!task) return undefined
  return isLeaf(task.kind) ? (tookPart(task) ? task : undefined) : latest.get(task.path)
}

function dependency(tree: Tree, latest: Map<string, Task>, task: Task): Task | undefined {
  let found: Task | undefined
  for (const path of task.depends_on ?? []) {
    const leaf = leafOf(tree.byPath.get(path), latest)
    if (leaf) found = later(found, leaf)
  }
  return found
}

/** Finds which iteration made room for another one in a loop that runs only so many at a time. */
class Turns {
  #tree: Tree
  #ends = new Map<string, Task[]>()

  constructor(tree: Tree) {
    this.#tree = tree
  }

  before(iteration: Task, latest: Map<string, Task>): Task | undefined {
    const loop = this.#tree.byPath.get(iteration.parent ?? '')
    if (loop?.kind !== 'loop' || !loop.started_at) return undefined
    const begin = beginOf(iteration)
    // Those that began with the loop waited for nobody.
    if (begin <= Date.parse(loop.started_at)) return undefined
    const ends = this.#endsOf(loop)
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >> 1
      const task = ends[middle]
      if (task && endOf(task) <= begin) low = middle + 1
      else high = middle
    }
    const made = ends[low - 1]
    return made === iteration ? undefined : leafOf(made, latest)
  }

  #endsOf(loop: Task): Task[] {
    const known = this.#ends.get(loop.path)
    if (known) return known
    const ends = (this.#tree.children.get(loop.path) ?? []).filter((t) => t.finished_at && t.started_at).toSorted((a, b) => endOf(a) - endOf(b))
    this.#ends.set(loop.path, ends)
    return ends
  }
}
