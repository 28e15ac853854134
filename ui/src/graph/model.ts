// What the graph draws: boxes inside boxes, and the dependencies between neighbours.
import { isLeaf, type Task } from '../api/types'
import { type Choices, isOpen, shownIteration, type Tree } from './tree'

export interface Box {
  path: string
  /** Path of the box around it. */
  parent: string | undefined
  task: Task
  group: boolean
  open: boolean
  /** For an open loop: the iteration whose tasks are inside. */
  iteration: Task | undefined
}

export interface Arrow {
  from: string
  to: string
}

export interface Graph {
  /** A box comes after the box around it. */
  boxes: Box[]
  arrows: Arrow[]
}

export function buildGraph(tree: Tree, choices: Choices): Graph {
  const boxes: Box[] = []
  const arrows: Arrow[] = []
  const visit = (tasks: readonly Task[], parent: string | undefined) => {
    const level = new Set(tasks.map((t) => t.path))
    for (const task of tasks) {
      const group = !isLeaf(task.kind)
      const open = group && isOpen(tree, task, choices)
      const iteration = open && task.kind === 'loop' ? shownIteration(tree, task, choices) : undefined
      boxes.push({ path: task.path, parent, task, group, open, iteration })
      for (const before of task.depends_on ?? []) {
        if (level.has(before)) arrows.push({ from: before, to: task.path })
      }
      // The iterations of a loop are not drawn one by one: there may be thousands.
      const inside = task.kind === 'loop' ? iteration?.path : task.path
      if (open && inside !== undefined) visit(tree.children.get(inside) ?? [], task.path)
    }
  }
  visit(tree.children.get('') ?? [], undefined)
  return { boxes, arrows }
}

/** Whether two graphs are laid out alike, whatever the states of their tasks. */
export function sameShape(a: Graph, b: Graph): boolean {
  return (
    a.boxes.length === b.boxes.length &&
    a.arrows.length === b.arrows.length &&
    a.boxes.every((box, i) => {
      const other = b.boxes[i]
      return other !== undefined && box.path === other.path && box.parent === other.parent && box.open === other.open && box.group === other.group
    }) &&
    a.arrows.every((arrow, i) => arrow.from === b.arrows[i]?.from && arrow.to === b.arrows[i]?.to)
  )
}
