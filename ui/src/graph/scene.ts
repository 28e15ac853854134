// A graph that is laid out, in one system of coordinates, and what of it is in sight. It depends on the shape alone: states are
// looked up when it is drawn.
import type { LaidGraph, Layout, Point } from './layout'
import type { LaidOut, PictureRequest } from './messages'

export interface Rect {
  x: number
  y: number
  width: number
  height: number
}

export interface SceneLine {
  from: readonly string[]
  to: readonly string[]
  points: readonly Point[]
}

export interface Scene {
  width: number
  height: number
  /** The place of each box of the graph, in its order: a box comes after the box around it. */
  places: readonly Rect[]
  /** The number of a box by its path. */
  index: ReadonlyMap<string, number>
  lines: readonly SceneLine[]
  blocks: readonly Rect[]
  /** Numbers of boxes and lines that may be within a rectangle, in their order. */
  boxesIn: (area: Rect) => number[]
  linesIn: (area: Rect) => number[]
  /** Makes a picture beside the page; undefined when the scene is no longer known there. Without it the page draws. */
  drawBeside?: ((request: PictureRequest) => Promise<ImageBitmap | undefined>) | undefined
}

/** A scene whose boxes were placed elsewhere, and whose lines are drawn there. */
export function scenePlaced(graph: LaidGraph, { places: numbers, width, height }: LaidOut, drawBeside: Scene['drawBeside']): Scene {
  const places = graph.boxes.map((_, i): Rect => ({ x: numbers[4 * i] ?? 0, y: numbers[4 * i + 1] ?? 0, width: numbers[4 * i + 2] ?? 0, height: numbers[4 * i + 3] ?? 0 }))
  return { width, height, places, index: new Map(graph.boxes.map((box, i) => [box.path, i])), lines: [], blocks: [], boxesIn: findIn(places), linesIn: () => [], drawBeside }
}

export function sceneOf(graph: LaidGraph, layout: Layout): Scene {
  const index = new Map<string, number>()
  const places: Rect[] = []
  const cornerOf = (parent: string | undefined): Point => places[index.get(parent ?? '') ?? -1] ?? { x: 0, y: 0 }
  for (const box of graph.boxes) {
    const corner = cornerOf(box.parent)
    const place = layout.places.get(box.path) ?? { x: 0, y: 0, width: 0, height: 0 }
    index.set(box.path, places.length)
    if (box.parent === undefined) places.push(place)
    else places.push({ x: corner.x + place.x, y: corner.y + place.y, width: place.width, height: place.height })
  }
  const lines: SceneLine[] = []
  const blocks: Rect[] = []
  for (const [parent, level] of layout.levels) {
    const corner = cornerOf(parent)
    const moved = (points: readonly Point[]) => (parent === '' ? points : points.map((p) => ({ x: p.x + corner.x, y: p.y + corner.y })))
    for (const line of level.lines) lines.push({ ...line, points: moved(line.points) })
    for (const b of level.blocks) blocks.push({ x: b.x + corner.x, y: b.y + corner.y, width: b.width, height: b.height })
  }
  return {
    width: layout.width,
    height: layout.height,
    places,
    index,
    lines,
    blocks,
    boxesIn: findIn(places),
    linesIn: findIn(lines.map((line) => bounds(line.points))),
  }
}

function bounds(points: readonly Point[]): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const { x, y } of points) {
    left = Math.min(left, x)
    top = Math.min(top, y)
    right = Math.max(right, x)
    bottom = Math.max(bottom, y)
  }
  return { x: left, y: top, width: right - left, height: bottom - top }
}

export function overlap(a: Rect, b: Rect): boolean {
  return a.x <= b.x + b.width && b.x <= a.x + a.width && a.y <= b.y + b.height && b.y <= a.y + a.height
}

const cell = 1024
/** What lies in more cells than this is looked at every time. */
const manyCells = 64

/** Puts rectangles into the cells of a grid, so that those in sight are found without looking at the others. */
function findIn(rects: readonly Rect[]): (area: Rect) => number[] {
  const cells = new Map<number, number[]>()
  const large: number[] = []
  rects.forEach((rect, i) => {
    const span = spanOf(rect)
    if (!(span.count <= manyCells)) return large.push(i)
    for (let x = span.left; x <= span.right; x++) {
      for (let y = span.top; y <= span.bottom; y++) {
        const key = cellKey(x, y)
        const list = cells.get(key)
        if (list) list.push(i)
        else cells.set(key, [i])
      }
    }
    return undefined
  })
  return (area) => {
    const span = spanOf(area)
    const within = (i: number) => {
      const rect = rects[i]
      return rect !== undefined && overlap(rect, area)
    }
    // Where most of the graph is in sight there is nothing to gain from the cells.
    if (span.count > cells.size) return Array.from(rects.keys()).filter(within)
    const found = new Set(large)
    for (let x = span.left; x <= span.right; x++) {
      for (let y = span.top; y <= span.bottom; y++) for (const i of cells.get(cellKey(x, y)) ?? []) found.add(i)
    }
    return [...found].filter(within).toSorted((a, b) => a - b)
  }
}

/** Places are far from a million cells away from each other. */
function cellKey(x: number, y: number): number {
  return x * 2_000_003 + y
}

function spanOf({ x, y, width, height }: Rect) {
  const left = Math.floor(x / cell)
  const right = Math.floor((x + width) / cell)
  const top = Math.floor(y / cell)
  const bottom = Math.floor((y + height) / cell)
  return { left, right, top, bottom, count: (right - left + 1) * (bottom - top + 1) }
}
