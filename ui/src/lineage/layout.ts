// Where the boxes of a lineage graph go.
import { Graph as Dagre, layout } from '@dagrejs/dagre'
import type { LineageEdge, LineageNode } from '../api/types'
import type { Point } from '../graph/layout'

export const boxSize = { width: 212, height: 56 }

export interface Placed {
  places: ReadonlyMap<string, Point>
  routes: ReadonlyMap<string, readonly Point[]>
  width: number
  height: number
}

/** From left to right, as things came to be. */
export function place(nodes: readonly LineageNode[], edges: readonly LineageEdge[]): Placed {
  const dagre = new Dagre()
  dagre.setGraph({ rankdir: 'LR', nodesep: 18, ranksep: 52 })
  dagre.setDefaultEdgeLabel(() => ({}))
  for (const node of nodes) dagre.setNode(node.id, { ...boxSize })
  for (const { from, to } of edges) dagre.setEdge(from, to)
  layout(dagre)
  const places = new Map<string, Point>()
  let width = 0
  let height = 0
  for (const node of nodes) {
    const { x, y } = dagre.node(node.id) as Point
    const corner = { x: x - boxSize.width / 2, y: y - boxSize.height / 2 }
    places.set(node.id, corner)
    width = Math.max(width, corner.x + boxSize.width)
    height = Math.max(height, corner.y + boxSize.height)
  }
  const routes = new Map<string, Point[]>()
  for (const { from, to } of edges) {
    const start = places.get(from)
    const end = places.get(to)
    if (!start || !end) continue
    const { points = [] } = dagre.edge(from, to) as { points?: Point[] }
    const middle = boxSize.height / 2
    routes.set(`${from} ${to}`, [{ x: start.x + boxSize.width, y: start.y + middle }, ...points.slice(1, -1), { x: end.x, y: end.y + middle }])
  }
  return { places, routes, width, height }
}
