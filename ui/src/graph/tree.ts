// The tasks of a run as a tree of groups, with what is going on inside each group counted.
import { isLeaf, type State, type Task } from '../api/types'

export interface Counts {
  /** Leaf tasks below the group, or iterations directly below a loop. */
  total: number
  cached: number
  byState: ReadonlyMap<State, number>
}

export interface Tree {
  byPath: ReadonlyMap<string, Task>
  byId: ReadonlyMap<string, Task>
  /** Tasks directly inside a group, in the server's order; the key of the top level is "". */
  children: ReadonlyMap<string, readonly Task[]>
  /** Leaf tasks at any depth of a group; the key of the whole run is "". */
  leaves: ReadonlyMap<string, Counts>
}

interface MutableCounts extends Counts {
  byState: Map<State, number>
}

/** A tree that grows and changes task by task; a change costs little more than a look through the task's group. */
export class TreeBuilder {
  #byPath = new Map<string, Task>()
  #byId = new Map<string, Task>()
  #children = new Map<string, Task[]>()
  #leaves = new Map<string, MutableCounts>()
  #unsorted = new Set<string>()

  get size(): number {
    return this.#byPath.size
  }

  put(task: Task): void {
    const old = this.#byPath.get(task.path)
    this.#byPath.set(task.path, task)
    this.#byId.set(task.id, task)
    if (isLeaf(task.kind)) this.#count(old, task)
    const parent = task.parent ?? ''
    const siblings = this.#children.get(parent) ?? []
    if (siblings.length === 0) this.#children.set(parent, siblings)
    if (old) siblings[siblings.indexOf(old)] = task
    else {
      if ((task.iteration ?? 0) < (siblings.at(-1)?.iteration ?? 0)) this.#unsorted.add(parent)
      siblings.push(task)
    }
  }

  /** The tree as it is now. It changes with the next put, so a new one is asked for after that. */
  tree(): Tree {
    for (const parent of this.#unsorted) {
      const siblings = this.#children.get(parent) ?? []
      siblings.sort((a, b) => (a.iteration ?? 0) - (b.iteration ?? 0))
    }
    this.#unsorted.clear()
    return { byPath: this.#byPath, byId: this.#byId, children: this.#children, leaves: this.#leaves }
  }

  #count(old: Task | undefined, task: Task): void {
    if (old && old.state === task.state && old.cached === task.cached) return
    for (let at: string | undefined = task.parent ?? ''; at !== undefined; at = at === '' ? undefined : (this.#byPath.get(at)?.parent ?? '')) {
      const counts: MutableCounts = this.#leaves.get(at) ?? { total: 0, cached: 0, byState: new Map<State, number>() }
      this.#leaves.set(at, counts)
      if (old) add(counts, old, -1)
      add(counts, task)
    }
  }
}

export function buildTree(byPath: ReadonlyMap<string, Task>): Tree {
  const builder = new TreeBuilder()
  for (const task of byPath.values()) builder.put(task)
  return builder.tree()
}

function add(counts: MutableCounts, task: Task, by: 1 | -1 = 1): void {
  counts.total += by
  if (task.cached) counts.cached += by
  const n = (counts.byState.get(task.state) ?? 0) + by
  if (n > 0) counts.byState.set(task.state, n)
  else counts.byState.delete(task.state)
}

/** Counts the tasks directly inside a group: for a loop, its iterations. */
export function countChildren(tree: Tree, path: string): Counts {
  const counts: MutableCounts = { total: 0, cached: 0, byState: new Map() }
  for (const child of tree.children.get(path) ?? []) add(counts, child)
  return counts
}

/** What a group's node and row show: iterations of a loop, leaf tasks of everything else. They are those of this moment. */
export function groupCounts(tree: Tree, task: Task): Counts {
  if (task.kind === 'loop') return countChildren(tree, task.path)
  const { total, cached, byState } = tree.leaves.get(task.path) ?? { total: 0, cached: 0, byState: new Map<State, number>() }
  return { total, cached, byState }
}

/** The groups around a task, outermost first. */
export function ancestors(tree: Tree, path: string): Task[] {
  const found: Task[] = []
  for (let at = tree.byPath.get(path)?.parent; at; at = tree.byPath.get(at)?.parent) {
    const group = tree.byPath.get(at)
    if (group) found.unshift(group)
  }
  return found
}

/** Which groups the reader opened or closed, and which iteration of a loop they look at. */
export interface Choices {
  open: ReadonlyMap<string, boolean>
  iteration: ReadonlyMap<string, string>
}

export const noChoices: Choices = { open: new Map(), iteration: new Map() }

/** A small DAG is open from the start; loops and bigger groups wait to be opened. */
export function isOpen(tree: Tree, task: Task, choices: Choices): boolean {
  const chosen = choices.open.get(task.path)
  if (chosen !== undefined) return chosen
  if (task.kind !== 'dag' || (tree.children.get(task.path)?.length ?? 0) === 0) return false
  return (tree.leaves.get(task.path)?.total ?? 0) <= 8
}

/** The iteration of an open loop that the graph shows: the chosen one, else the first that failed, else the first. */
export function shownIteration(tree: Tree, loop: Task, choices: Choices): Task | undefined {
  const iterations = tree.children.get(loop.path) ?? []
  const chosen = tree.byPath.get(choices.iteration.get(loop.path) ?? '')
  return chosen ?? iterations.find((t) => t.state === 'FAILED') ?? iterations[0]
}

/** Opens every group around a task, so that the task is visible. */
export function reveal(tree: Tree, path: string, choices: Choices): Choices {
  const task = tree.byPath.get(path)
  const groups = ancestors(tree, path)
  if (!task || (groups.length === 0 && task.kind !== 'iteration')) return choices
  const open = new Map(choices.open)
  const iteration = new Map(choices.iteration)
  for (const group of [...groups, task]) {
    if (group !== task) open.set(group.path, true)
    if (group.kind === 'iteration' && group.parent) iteration.set(group.parent, group.path)
  }
  return { open, iteration }
}

export interface Row {
  task: Task
  depth: number
  group: boolean
  open: boolean
}

/** The tree as rows of a table, without what is inside closed groups. */
export function treeRows(tree: Tree, choices: Choices): Row[] {
  const rows: Row[] = []
  const visit = (parent: string, depth: number) => {
    for (const task of tree.children.get(parent) ?? []) {
      const group = !isLeaf(task.kind)
      const open = group && isOpen(tree, task, choices)
      rows.push({ task, depth, group, open })
      if (open) visit(task.path, depth + 1)
    }
  }
  visit('', 0)
  return rows
}
