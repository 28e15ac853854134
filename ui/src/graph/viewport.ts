// How much of the graph is in sight at first: all of it, unless its words would be too small to read.
import type { Layout, Point } from './layout'
import type { Graph } from './model'

interface Frame {
  width: number
  height: number
}

const margin = 20
/** On a phone a little less, so that two boxes have room side by side. */
function smallest(frame: Frame): number {
  return frame.width < 500 ? 0.6 : 0.72
}

/** The zoom that fits both ways, but never so small that the names cannot be read. */
function zoomFor(layout: Layout, frame: Frame): number {
  const fit = Math.min((frame.width - 2 * margin) / layout.width, (frame.height - 2 * margin) / layout.height)
  return Math.min(1, Math.max(smallest(frame), fit))
}

/** As high as the graph needs, within limits. */
export function frameHeight(layout: Layout, width: number, windowHeight: number): number {
  const most = Math.max(320, windowHeight * 0.9)
  const zoom = zoomFor(layout, { width, height: most })
  return Math.round(Math.min(most, Math.max(180, layout.height * zoom + 2 * margin)))
}

export interface View {
  x: number
  y: number
  zoom: number
}

/** Centres what fits; what does not is shown from its beginning, or around the selected task. */
export function viewOf(layout: Layout, graph: Graph, frame: Frame, selected: string | undefined): View {
  const zoom = zoomFor(layout, frame)
  const focus = selected === undefined ? undefined : centreOf(layout, graph, selected)
  return {
    x: offset(layout.width * zoom, frame.width, focus && focus.x * zoom),
    y: offset(layout.height * zoom, frame.height, focus && focus.y * zoom),
    zoom,
  }
}

function offset(size: number, frame: number, focus: number | undefined): number {
  if (size + 2 * margin <= frame) return (frame - size) / 2
  if (focus === undefined) return margin
  return Math.min(margin, Math.max(frame - size - margin, frame / 2 - focus))
}

function centreOf(layout: Layout, graph: Graph, path: string): Point | undefined {
  const own = layout.places.get(path)
  if (!own) return undefined
  const corner = cornerOf(layout, graph, path)
  return { x: corner.x + own.width / 2, y: corner.y + own.height / 2 }
}

/** Where a box begins, counted from the corner of the whole graph. */
export function cornerOf(layout: Layout, graph: Graph, path: string | undefined): Point {
  const parents = new Map(graph.boxes.map((b) => [b.path, b.parent]))
  const corner = { x: 0, y: 0 }
  for (let at = path; at !== undefined; at = parents.get(at)) {
    corner.x += layout.places.get(at)?.x ?? 0
    corner.y += layout.places.get(at)?.y ?? 0
  }
  return corner
}
