// The ways of arrows between the boxes of a pipeline, which are drawn one by one: each may have a mark of its own.
import { type Direction, exitOf, entryOf, type Point } from '../graph/layout'
import type { Graph } from '../graph/model'
import type { Scene } from '../graph/scene'

export function arrowKey(from: string, to: string): string {
  return `${from} ${to}`
}

/** The way of each arrow, by arrowKey: around what lies between, or straight where the layout has one line for many arrows. */
export function routesOf(graph: Graph, scene: Scene, direction: Direction): Map<string, readonly Point[]> {
  const routes = new Map<string, readonly Point[]>()
  for (const { from, to, points } of scene.lines) {
    if (from.length === 1 && to.length === 1) routes.set(arrowKey(from[0] ?? '', to[0] ?? ''), points)
  }
  const placeOf = (path: string) => scene.places[scene.index.get(path) ?? -1]
  for (const { from, to } of graph.arrows) {
    const [start, end] = [placeOf(from), placeOf(to)]
    if (start && end && !routes.has(arrowKey(from, to))) routes.set(arrowKey(from, to), [exitOf(start, direction), entryOf(end, direction)])
  }
  return routes
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
