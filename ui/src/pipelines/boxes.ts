// A comparison as boxes inside boxes: what the layout of graphs wants. Only what is open is gone through.
import type { Task } from '../api/types'
import type { Arrow, Box, Graph } from '../graph/model'
import type { Comparison, Mark, Merged } from './diff'
import { arrowKey } from './routes'

export interface Drawn {
  graph: Graph
  /** The task of each box, by path. */
  nodes: ReadonlyMap<string, Merged>
  /** The mark of each arrow, by arrowKey. */
  marks: ReadonlyMap<string, Mark>
}

/** A group is open from the start when it has no more tasks than this, and while so many boxes are drawn in all. */
const small = 8
const many = 80

export function draw(comparison: Comparison, choices: ReadonlyMap<string, boolean>, selected = ''): Drawn {
  const boxes: Box[] = []
  const arrows: Arrow[] = []
  const nodes = new Map<string, Merged>()
  const marks = new Map<string, Mark>()
  const visit = (around: Merged | undefined, parent: string | undefined) => {
    const level = comparison.level(around)
    const at = (name: string) => (parent === undefined ? name : `${parent}/${name}`)
    for (const node of level.nodes) {
      const path = at(node.name)
      const inside = node.group ? comparison.level(node).nodes.length : 0
      const open = inside > 0 && (choices.get(path) ?? (selected.startsWith(`${path}/`) || (inside <= small && boxes.length < many)))
      nodes.set(path, node)
      boxes.push(boxOf(path, parent, node, open))
      if (open) visit(node, path)
    }
    for (const { from, to, mark } of level.edges) {
      if (!nodes.has(at(from)) || !nodes.has(at(to))) continue
      arrows.push({ from: at(from), to: at(to) })
      marks.set(arrowKey(at(from), at(to)), mark)
    }
  }
  visit(undefined, undefined)
  return { graph: { boxes, arrows }, nodes, marks }
}

/** A box of the run graph has a task with a state; this one has not run. */
function boxOf(path: string, parent: string | undefined, node: Merged, open: boolean): Box {
  const task = { id: path, path, name: node.name, display_name: node.name, kind: node.group ? 'dag' : 'container', state: 'PENDING' } as Task
  return { path, parent, task, group: node.group, open, iteration: undefined }
}
