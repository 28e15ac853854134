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

export function buildTree(byPath: ReadonlyMap<string, Task>): Tree {
  const children = new Map<string, Task[]>()
  const leaves = new Map<string, MutableCounts>()
  const byId = new Map<string, Task>()
  for (const task of byPath.values()) {
    byId.set(task.id, task)
    const parent = task.parent ?? ''
    const siblings = children.get(parent)
    if (siblings) siblings.push(task)
    else children.set(parent, [task])
    if (isLeaf(task.kind)) countUpwards(task, byPath, leaves)
  }
  for (const siblings of children.values()) {
    if (siblings[0]?.kind === 'iteration') siblings.sort((a, b) => (a.iteration ?? 0) - (b.iteration ?? 0))
  }
  return { byPath, byId, children, leaves }
}

function countUpwards(leaf: Task, byPath: ReadonlyMap<string, Task>, leaves: Map<string, MutableCounts>): void {
  let at: string | undefined = leaf.parent ?? ''
  while (at !== undefined) {
    const counts = leaves.get(at) ?? { total: 0, cached: 0, byState: new Map<State, number>() }
    add(counts, leaf)
    leaves.set(at, counts)
    at = at === '' ? undefined : (byPath.get(at)?.parent ?? '')
  }
}

function add(counts: MutableCounts, task: Task): void {
  counts.total++
  if (task.cached) counts.cached++
  counts.byState.set(task.state, (counts.byState.get(task.state) ?? 0) + 1)
}

/** Counts the tasks directly inside a group: for a loop, its iterations. */
export function countChildren(tree: Tree, path: string): Counts {
  const counts: MutableCounts = { total: 0, cached: 0, byState: new Map() }
  for (const child of tree.children.get(path) ?? []) add(counts, child)
  return counts
}

/** What a group's node and row show: iterations of a loop, leaf tasks of everything else. */
export function groupCounts(tree: Tree, task: Task): Counts {
  if (task.kind === 'loop') return countChildren(tree, task.path)
  return tree.leaves.get(task.path) ?? { total: 0, cached: 0, byState: new Map() }
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
