// Where the boxes go. Each level is laid out on its own, from the inside out, so a box is as big as what is in it: with dagre
// as long as that is quick, with layered.ts beyond.
import { Graph as Dagre, layout } from '@dagrejs/dagre'
import { bundle } from './bundles'
import { layered, type Link } from './layered'
import type { Arrow, Box } from './model'

export type Direction = 'LR' | 'TB'

/** What of a box its place depends on. */
export type LaidBox = Pick<Box, 'path' | 'parent' | 'group' | 'open'>

export interface LaidGraph {
  /** A box comes after the box around it. */
  boxes: readonly LaidBox[]
  arrows: readonly Arrow[]
}

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

/** An arrow between two boxes, or from or to all of a block of boxes that are alike. */
export interface Line {
  from: readonly string[]
  to: readonly string[]
  points: readonly Point[]
}

/** A block of boxes that are alike; its place is relative to the box around it. */
export interface Block extends Place {
  boxes: readonly string[]
}

/** What is inside one box, or at the top. */
export interface Level {
  lines: Line[]
  blocks: Block[]
}

export interface Layout {
  places: ReadonlyMap<string, Place>
  /** By the path of the box around; the key of the top level is "". Points and places are relative to that box. */
  levels: ReadonlyMap<string, Level>
  width: number
  height: number
}

export interface Size {
  width: number
  height: number
}

const leafSize: Size = { width: 188, height: 54 }
const groupSize: Size = { width: 188, height: 72 }
const header = 54
const padding = 16
const blockPadding = 12
const blockGap = 10
/** Units that dagre lays out in a few dozen milliseconds. */
const mostForDagre = { units: 90, links: 220 }
/** A block, and a graph that is folded, is about so many times as wide as it is high. */
const ratio = 1.7

interface Found {
  places: Map<string, Place>
  levels: Map<string, Level>
  boxesOf: Map<string, LaidBox[]>
  arrowsOf: Map<string, Arrow[]>
  direction: Direction
}

export function layoutGraph(graph: LaidGraph, direction: Direction): Layout {
  const found: Found = { places: new Map(), levels: new Map(), boxesOf: new Map(), arrowsOf: new Map(), direction }
  const parents = new Map<string, string>()
  for (const box of graph.boxes) {
    const key = box.parent ?? ''
    parents.set(box.path, key)
    push(found.boxesOf, key, box)
  }
  for (const arrow of graph.arrows) push(found.arrowsOf, parents.get(arrow.to) ?? '', arrow)
  return { places: found.places, levels: found.levels, ...placeLevel(found, '') }
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list) list.push(item)
  else lists.set(key, [item])
}

function boxSize(found: Found, box: LaidBox): Size {
  if (!box.open) return box.group ? groupSize : leafSize
  const inner = placeLevel(found, box.path)
  return {
    width: Math.max(groupSize.width + 2 * padding, inner.width + 2 * padding),
    height: header + padding + Math.max(inner.height, 8),
  }
}

function placeLevel(found: Found, parent: string): Size {
  const boxes = found.boxesOf.get(parent) ?? []
  const level: Level = { lines: [], blocks: [] }
  found.levels.set(parent, level)
  if (boxes.length === 0) return { width: 0, height: 0 }
  const index = new Map(boxes.map((box, i) => [box.path, i]))
  const sizes = boxes.map((box) => boxSize(found, box))
  const links: Link[] = []
  for (const { from, to } of found.arrowsOf.get(parent) ?? []) {
    const a = index.get(from)
    const b = index.get(to)
    if (a !== undefined && b !== undefined) links.push([a, b])
  }
  const units = bundle(boxes.length, links, (i) => boxes[i]?.group === true)
  const blocks = units.members.map((members): Cells => (members.length === 1 ? { ...sizeOf(members[0], sizes), cells: one } : blockOf(members, sizes)))
  const placed = placeUnits(blocks, units.links, found.direction)
  const shift = parent === '' ? { x: 0, y: 0 } : { x: padding, y: header }
  const paths = units.members.map((members) => members.map((i) => boxes[i]?.path ?? ''))
  blocks.forEach((block, u) => {
    const corner = placed.corners[u] ?? shift
    const x = corner.x + shift.x
    const y = corner.y + shift.y
    const { width, height } = sizeOf(units.members[u]?.[0], sizes)
    block.cells.forEach((cell, k) => found.places.set(paths[u]?.[k] ?? '', { x: x + cell.x, y: y + cell.y, width, height }))
    if (block.cells.length > 1) level.blocks.push({ boxes: paths[u] ?? [], x, y, width: block.width, height: block.height })
  })
  units.links.forEach(([a, b], i) => {
    const points = placed.routes[i] ?? []
    for (const p of points) {
      p.x += shift.x
      p.y += shift.y
    }
    level.lines.push({ from: paths[a] ?? [], to: paths[b] ?? [], points })
  })
  return { width: placed.width, height: placed.height }
}

interface Cells extends Size {
  /** The corners of the boxes, which are equally large. */
  cells: readonly Point[]
}

/** The cells of a box by itself. */
const one: readonly Point[] = [{ x: 0, y: 0 }]

function sizeOf(box: number | undefined, sizes: readonly Size[]): Size {
  return sizes[box ?? -1] ?? leafSize
}

/** Many boxes that are alike, in rows. */
function blockOf(members: readonly number[], sizes: readonly Size[]): Cells {
  const first = sizeOf(members[0], sizes)
  const step = { x: first.width + blockGap, y: first.height + blockGap }
  const columns = Math.max(2, Math.round(Math.sqrt((members.length * step.y * ratio) / step.x)))
  const cells = members.map((_, k) => ({
    x: blockPadding + (k % columns) * step.x,
    y: blockPadding + Math.floor(k / columns) * step.y,
  }))
  return {
    cells,
    width: 2 * blockPadding + columns * step.x - blockGap,
    height: 2 * blockPadding + Math.ceil(members.length / columns) * step.y - blockGap,
  }
}

interface Placed extends Size {
  corners: Point[]
  routes: Point[][]
}

function placeUnits(units: readonly Size[], links: readonly Link[], direction: Direction): Placed {
  const few = units.length <= mostForDagre.units && links.length <= mostForDagre.links
  return few && !isLong(units.length, links) ? withDagre(units, links, direction) : withLayers(units, links, direction)
}

/** A chain of some length is better folded. */
function isLong(units: number, links: readonly Link[]): boolean {
  return units > 30 && links.length < units * 1.1
}

function withLayers(units: readonly Size[], links: readonly Link[], direction: Direction): Placed {
  const flat = direction === 'LR'
  const result = layered(
    units.map((u) => (flat ? { along: u.width, across: u.height } : { along: u.height, across: u.width })),
    links,
    { layer: flat ? 52 : 44, unit: 24 },
    flat ? ratio : 1 / ratio,
  )
  if (!flat) for (const p of [...result.spots, ...result.routes.flat()]) [p.x, p.y] = [p.y, p.x]
  return {
    corners: result.spots,
    routes: result.routes,
    width: flat ? result.along : result.across,
    height: flat ? result.across : result.along,
  }
}

function withDagre(units: readonly Size[], links: readonly Link[], direction: Direction): Placed {
  const dagre = new Dagre()
  dagre.setGraph({ rankdir: direction, nodesep: 24, ranksep: direction === 'LR' ? 44 : 36 })
  dagre.setDefaultEdgeLabel(() => ({}))
  units.forEach(({ width, height }, i) => dagre.setNode(String(i), { width, height }))
  for (const [a, b] of links) dagre.setEdge(String(a), String(b))
  layout(dagre)
  // What dagre places is given by its middle, and may begin beyond the origin.
  const corners = units.map(({ width, height }, i) => {
    const { x, y } = dagre.node(String(i)) as Point
    return { x: x - width / 2, y: y - height / 2 }
  })
  const left = Math.min(...corners.map((c) => c.x))
  const top = Math.min(...corners.map((c) => c.y))
  for (const corner of corners) {
    corner.x -= left
    corner.y -= top
  }
  const routes = links.map(([a, b]) => {
    const between = (dagre.edge(String(a), String(b)) as { points: Point[] }).points.slice(1, -1)
    return [
      exitOf({ ...(corners[a] ?? { x: 0, y: 0 }), ...(units[a] ?? leafSize) }, direction),
      ...between.map((p) => ({ x: p.x - left, y: p.y - top })),
      entryOf({ ...(corners[b] ?? { x: 0, y: 0 }), ...(units[b] ?? leafSize) }, direction),
    ]
  })
  return {
    corners,
    routes,
    width: Math.max(...corners.map((c, i) => c.x + (units[i]?.width ?? 0))),
    height: Math.max(...corners.map((c, i) => c.y + (units[i]?.height ?? 0))),
  }
}

/** Arrows leave and enter a box in the middle of a side, whichever way they come. */
export function exitOf({ x, y, width, height }: Place, direction: Direction): Point {
  return direction === 'LR' ? { x: x + width, y: y + height / 2 } : { x: x + width / 2, y: y + height }
}

export function entryOf({ x, y, width, height }: Place, direction: Direction): Point {
  return direction === 'LR' ? { x, y: y + height / 2 } : { x: x + width / 2, y }
}

/** The direction in which the graph can be shown larger in a frame. */
export function betterDirection(graph: LaidGraph, frame: Size): Direction {
  if (graph.boxes.length > 200) return frame.width >= frame.height ? 'LR' : 'TB'
  const zoom = (l: Layout) => Math.min(frame.width / l.width, frame.height / l.height)
  return zoom(layoutGraph(graph, 'LR')) >= zoom(layoutGraph(graph, 'TB')) ? 'LR' : 'TB'
}
