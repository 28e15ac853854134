// Which part of the graph is in sight: at first all of it, unless its words would be too small to read.
import type { Rect } from './scene'

export interface Frame {
  width: number
  height: number
}

/** A point of the graph is seen at point * zoom + (x, y). */
export interface View {
  x: number
  y: number
  zoom: number
}

const margin = 20
const largest = 1.5

/** On a phone a little less, so that two boxes have room side by side. */
function smallest(frame: Frame): number {
  return frame.width < 500 ? 0.6 : 0.72
}

/** The zoom that fits both ways, but never so small that the names cannot be read. */
function zoomFor(scene: Frame, frame: Frame): number {
  const fit = Math.min((frame.width - 2 * margin) / scene.width, (frame.height - 2 * margin) / scene.height)
  return Math.min(1, Math.max(smallest(frame), fit))
}

/** As high as the graph needs, within limits. On a phone there is room beside it for the finger that scrolls the page. */
export function frameHeight(scene: Frame, width: number, windowHeight: number): number {
  const most = Math.max(320, windowHeight * (width < 500 ? 0.65 : 0.9))
  const zoom = zoomFor(scene, { width, height: most })
  return Math.round(Math.min(most, Math.max(180, scene.height * zoom + 2 * margin)))
}

/** The limits of zooming: a large graph can be seen as a whole. */
export function limits(scene: Frame, frame: Frame): [number, number] {
  return [Math.min(0.1, wholeZoom(scene, frame)), largest]
}

/** Centres what fits; what does not is shown from its beginning, or around a box. */
export function viewOf(scene: Frame, frame: Frame, focus?: Rect): View {
  return around(scene, frame, zoomFor(scene, frame), focus)
}

/** The whole graph, however small. */
export function wholeView(scene: Frame, frame: Frame): View {
  return around(scene, frame, wholeZoom(scene, frame))
}

/** At this zoom the whole graph is in sight. */
function wholeZoom(scene: Frame, frame: Frame): number {
  return Math.min(1, (frame.width - 2 * margin) / scene.width, (frame.height - 2 * margin) / scene.height)
}

/** At this zoom: centres what fits, and shows no more beyond the graph's edge than the margin. */
export function around(scene: Frame, frame: Frame, zoom: number, focus?: Rect): View {
  return {
    x: offset(scene.width * zoom, frame.width, focus && (focus.x + focus.width / 2) * zoom),
    y: offset(scene.height * zoom, frame.height, focus && (focus.y + focus.height / 2) * zoom),
    zoom,
  }
}

function offset(size: number, frame: number, focus: number | undefined): number {
  if (size + 2 * margin <= frame) return (frame - size) / 2
  if (focus === undefined) return margin
  return Math.min(margin, Math.max(frame - size - margin, frame / 2 - focus))
}

/** Zooms while the point of the frame stays where it is. */
export function zoomAt(view: View, factor: number, point: { x: number; y: number }, [least, most]: [number, number]): View {
  const zoom = Math.min(most, Math.max(least, view.zoom * factor))
  const share = zoom / view.zoom
  return { x: point.x - (point.x - view.x) * share, y: point.y - (point.y - view.y) * share, zoom }
}

/** Moves no further than leaves a piece of the graph in sight. */
export function kept(view: View, scene: Frame, frame: Frame): View {
  const keep = 60
  return {
    x: Math.min(frame.width - keep, Math.max(keep - scene.width * view.zoom, view.x)),
    y: Math.min(frame.height - keep, Math.max(keep - scene.height * view.zoom, view.y)),
    zoom: view.zoom,
  }
}

/** The part of the graph that the frame shows, with so many times its size around. */
export function areaOf(view: View, frame: Frame, more = 0): Rect {
  const width = frame.width / view.zoom
  const height = frame.height / view.zoom
  return { x: -view.x / view.zoom - width * more, y: -view.y / view.zoom - height * more, width: width * (1 + 2 * more), height: height * (1 + 2 * more) }
}

/** The view as part of an address: the point in the middle and the zoom. */
export function viewText(view: View, frame: Frame): string {
  const x = Math.round((frame.width / 2 - view.x) / view.zoom)
  const y = Math.round((frame.height / 2 - view.y) / view.zoom)
  return `${x},${y},${Number(view.zoom.toPrecision(3))}`
}

/** The view that an address asks for, however large the frame is now; undefined for what is not one. */
export function viewFrom(text: string | null, scene: Frame, frame: Frame): View | undefined {
  const match = /^(-?\d{1,9}),(-?\d{1,9}),(\d{1,3}(?:\.\d{1,9})?)$/.exec(text ?? '')
  if (!match) return undefined
  const [least, most] = limits(scene, frame)
  const zoom = Math.min(most, Math.max(least, Number(match[3])))
  return kept({ x: frame.width / 2 - Number(match[1]) * zoom, y: frame.height / 2 - Number(match[2]) * zoom, zoom }, scene, frame)
}

/** Whether a box is in sight as a whole. */
export function inSight(box: Rect, view: View, frame: Frame): boolean {
  const x = box.x * view.zoom + view.x
  const y = box.y * view.zoom + view.y
  return x >= 0 && y >= 0 && x + box.width * view.zoom <= frame.width && y + box.height * view.zoom <= frame.height
}

/** The least move after which a box is in sight. */
export function broughtIn(box: Rect, view: View, frame: Frame): View {
  const move = (from: number, size: number, room: number) => {
    const begin = margin - from
    const end = room - margin - (from + size)
    return begin > 0 ? begin : Math.min(0, end)
  }
  return {
    x: view.x + move(box.x * view.zoom + view.x, box.width * view.zoom, frame.width),
    y: view.y + move(box.y * view.zoom + view.y, box.height * view.zoom, frame.height),
    zoom: view.zoom,
  }
}
