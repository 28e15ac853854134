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
