import type { Task } from '../api/types'
import type { Tree } from '../graph/tree'

export interface Found {
  tasks: Task[]
  total: number
}

/** Tasks whose name or path holds a text, however it is written; those whose name begins with it come first. */
export function findTasks(tree: Tree, text: string, most: number): Found {
  const wanted = text.trim().toLowerCase()
  if (wanted === '') return { tasks: [], total: 0 }
  const begin: Task[] = []
  const inside: Task[] = []
  let total = 0
  for (const task of tree.byPath.values()) {
    const name = task.display_name.toLowerCase()
    const starts = name.startsWith(wanted)
    if (!starts && !name.includes(wanted) && !task.path.toLowerCase().includes(wanted)) continue
    total++
    const list = starts ? begin : inside
    if (list.length < most) list.push(task)
  }
  return { tasks: [...begin, ...inside].slice(0, most), total }
}
