// Where the boxes go. Each level is laid out on its own with dagre, from the inside out, so a box is as big as what is in it.
import { Graph as Dagre, layout } from '@dagrejs/dagre'
import type { Box, Graph } from './model'

export type Direction = 'LR' | 'TB'

export interface Place {
  /** Relative to the box around it. */
  x: number
  y: number
  width: number
  height: number
}

export interface Point {
  x: number
  y: number
}

export interface Layout {
  places: ReadonlyMap<string, Place>
  /** The way of each arrow around the boxes between, by arrowKey, from the same origin as the boxes it joins. */
  routes: ReadonlyMap<string, readonly Point[]>
  width: number
  height: number
}

interface Size {
  width: number
  height: number
}

const leafSize: Size = { width: 188, height: 54 }
const groupSize: Size = { width: 188, height: 72 }
const header = 54
const padding = 16

export function layoutGraph(graph: Graph, direction: Direction): Layout {
  const levels = new Map<string, Box[]>()
  for (const box of graph.boxes) {
    const key = box.parent ?? ''
    levels.set(key, [...(levels.get(key) ?? []), box])
  }
  const places = new Map<string, Place>()
  const routes = new Map<string, Point[]>()
  const placeLevel = (parent: string): Size => {
    const boxes = levels.get(parent) ?? []
    const sizes = new Map<string, Size>()
    for (const box of boxes) sizes.set(box.path, boxSize(box, placeLevel))
    return placeBoxes(boxes, sizes, graph, direction, { places, routes })
  }
  return { places, routes, ...placeLevel('') }
}

function boxSize(box: Box, placeLevel: (parent: string) => Size): Size {
  if (!box.open) return box.group ? groupSize : leafSize
  const inner = placeLevel(box.path)
  return {
    width: Math.max(groupSize.width + 2 * padding, inner.width + 2 * padding),
    height: header + padding + Math.max(inner.height, 8),
  }
}

function placeBoxes(
  boxes: readonly Box[],
  sizes: ReadonlyMap<string, Size>,
  graph: Graph,
  direction: Direction,
  found: { places: Map<string, Place>; routes: Map<string, Point[]> },
): Size {
  if (boxes.length === 0) return { width: 0, height: 0 }
  const dagre = new Dagre()
  dagre.setGraph({ rankdir: direction, nodesep: 24, ranksep: direction === 'LR' ? 44 : 36 })
  dagre.setDefaultEdgeLabel(() => ({}))
  for (const box of boxes) dagre.setNode(box.path, { ...(sizes.get(box.path) ?? leafSize) })
  for (const { from, to } of graph.arrows) {
    if (sizes.has(from) && sizes.has(to)) dagre.setEdge(from, to)
  }
  layout(dagre)
  const shift = boxes[0]?.parent === undefined ? { x: 0, y: 0 } : { x: padding, y: header }
  let width = 0
  let height = 0
  for (const box of boxes) {
    const node = dagre.node(box.path) as { x: number; y: number; width: number; height: number }
    const left = node.x - node.width / 2
    const top = node.y - node.height / 2
    width = Math.max(width, left + node.width)
    height = Math.max(height, top + node.height)
    found.places.set(box.path, {
      x: left + shift.x,
      y: top + shift.y,
      width: node.width,
      height: node.height,
    })
  }
  for (const { from, to } of graph.arrows) {
    if (!sizes.has(from) || !sizes.has(to)) continue
    const { points } = dagre.edge(from, to) as { points: Point[] }
    const between = points.slice(1, -1).map((p) => ({ x: p.x + shift.x, y: p.y + shift.y }))
    const start = found.places.get(from)
    const end = found.places.get(to)
    if (start && end) found.routes.set(arrowKey(from, to), [exitOf(start, direction), ...between, entryOf(end, direction)])
  }
  return { width, height }
}

/** Arrows leave and enter a box in the middle of a side, whichever way they come. */
function exitOf({ x, y, width, height }: Place, direction: Direction): Point {
  return direction === 'LR' ? { x: x + width, y: y + height / 2 } : { x: x + width / 2, y: y + height }
}

function entryOf({ x, y, width, height }: Place, direction: Direction): Point {
  return direction === 'LR' ? { x, y: y + height / 2 } : { x: x + width / 2, y }
}

export function arrowKey(from: string, to: string): string {
  return `${from} ${to}`
}

/** A smooth line along points, as the path of an SVG. It begins and ends in the direction of the graph. */
export function smoothPath(route: readonly Point[], direction: Direction): string {
  const [first, ...rest] = withStubs(route, direction)
  if (!first) return ''
  const parts = [`M${first.x},${first.y}`]
  rest.forEach((p, i) => {
    const after = rest[i + 1]
    parts.push(after ? `Q${p.x},${p.y} ${(p.x + after.x) / 2},${(p.y + after.y) / 2}` : `L${p.x},${p.y}`)
  })
  return parts.join(' ')
}

const stub = 12

function withStubs(route: readonly Point[], direction: Direction): Point[] {
  const first = route[0]
  const last = route.at(-1)
  if (!first || !last) return []
  const step = direction === 'LR' ? { x: stub, y: 0 } : { x: 0, y: stub }
  const out = { x: first.x + step.x, y: first.y + step.y }
  const into = { x: last.x - step.x, y: last.y - step.y }
  return [first, out, ...route.slice(1, -1), into, last]
}

/** The direction in which the graph can be shown larger in a frame. */
export function betterDirection(graph: Graph, frame: Size): Direction {
  const zoom = (l: Layout) => Math.min(frame.width / l.width, frame.height / l.height)
  return zoom(layoutGraph(graph, 'LR')) >= zoom(layoutGraph(graph, 'TB')) ? 'LR' : 'TB'
}
