// What the graph draws on a canvas: arrows and blocks always, and boxes as marks where they are too small for words.
import type { State } from '../api/types'
import type { Direction, Point } from './layout'
import type { PictureRequest } from './messages'
import type { Rect, Scene, SceneLine } from './scene'
import { stateOf } from './shape'
import { areaOf, type Frame, type View } from './viewport'

/** Below this zoom words cannot be read: boxes are marks. */
export const smallestWords = 0.42
/** Below this zoom arrows are straight and have no heads. */
const smallestCurves = 0.2

export interface Colours {
  surface: string
  sunken: string
  line: string
  accent: string
  text: string
  states: Record<State, string>
}

const names: Record<State, string> = {
  PENDING: '--pending',
  RUNNING: '--running',
  CANCELING: '--canceled',
  SUCCEEDED: '--succeeded',
  SKIPPED: '--skipped',
  FAILED: '--failed',
  CANCELED: '--canceled',
}

/** The colours of the theme as a canvas takes them: it knows no light-dark(). */
export function coloursOf(element: HTMLElement): Colours {
  const probe = document.createElement('span')
  probe.hidden = true
  element.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(${name})`
    return getComputedStyle(probe).color
  }
  const states = Object.fromEntries(Object.entries(names).map(([state, name]) => [state, read(name)])) as Record<State, string>
  const colours = { surface: read('--surface'), sunken: read('--sunken'), line: read('--border-strong'), accent: read('--accent'), text: read('--text'), states }
  probe.remove()
  return colours
}

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D

export interface Picture {
  scene: Scene
  boxes: readonly { open: boolean; task: { state: State } }[]
  direction: Direction
  selected: string | undefined
  /** Draw boxes as marks. */
  marks: boolean
}

/** Draws on a canvas, which it gives the size of a frame; scale is how many pixels of the screen one of the page has. */
export function drawOn(canvas: HTMLCanvasElement | OffscreenCanvas, frame: Frame, scale: number, view: View, picture: Picture, colours: Colours): boolean {
  const context = clear(canvas, frame, scale)
  if (!context) return false
  context.setTransform(scale * view.zoom, 0, 0, scale * view.zoom, scale * view.x, scale * view.y)
  const area = areaOf(view, frame)
  drawBlocks(context, picture, area, view, colours)
  const marks = picture.marks ? picture.scene.boxesIn(area) : []
  drawMarks(context, picture, marks.filter((i) => picture.boxes[i]?.open), view, colours)
  drawLines(context, picture, area, view, colours)
  drawMarks(context, picture, marks.filter((i) => !picture.boxes[i]?.open), view, colours)
  return true
}

/** A graph that is laid out, without its tasks. */
export interface Drawable {
  scene: Scene
  boxes: readonly { open: boolean }[]
  direction: Direction
}

/** Draws what was asked for. The selected box is named as the scene names it. */
export function drawRequested(canvas: HTMLCanvasElement | OffscreenCanvas, { scene, boxes, direction }: Drawable, request: PictureRequest, selected = request.selected < 0 ? undefined : String(request.selected)): boolean {
  const { frame, scale, view, states, colours } = request
  const shown = states ? boxes.map(({ open }, i) => ({ open, task: { state: stateOf(states[i] ?? 0) } })) : []
  return drawOn(canvas, frame, scale, view, { scene, boxes: shown, direction, selected, marks: states !== undefined }, colours)
}

/** Puts a picture that was made elsewhere on a canvas. */
export function putOn(canvas: HTMLCanvasElement, frame: Frame, scale: number, bitmap: ImageBitmap): void {
  clear(canvas, frame, scale)?.drawImage(bitmap, 0, 0)
  bitmap.close()
}

function clear(canvas: HTMLCanvasElement | OffscreenCanvas, frame: Frame, scale: number): Context | null {
  const width = Math.round(frame.width * scale)
  const height = Math.round(frame.height * scale)
  if (canvas.width !== width) canvas.width = width
  if (canvas.height !== height) canvas.height = height
  const context = canvas.getContext('2d') as Context | null
  context?.setTransform(1, 0, 0, 1, 0, 0)
  context?.clearRect(0, 0, width, height)
  return context
}

function drawBlocks(context: Context, { scene }: Picture, area: Rect, view: View, colours: Colours): void {
  context.strokeStyle = colours.line
  context.fillStyle = colours.sunken
  context.lineWidth = 1 / Math.max(view.zoom, 0.05)
  for (const { x, y, width, height } of scene.blocks) {
    if (x > area.x + area.width || y > area.y + area.height || x + width < area.x || y + height < area.y) continue
    context.globalAlpha = 0.5
    context.beginPath()
    context.roundRect(x, y, width, height, 10)
    context.fill()
    context.globalAlpha = 1
    context.stroke()
  }
}

function drawLines(context: Context, picture: Picture, area: Rect, view: View, colours: Colours): void {
  const { scene, selected, direction } = picture
  const curved = view.zoom >= smallestCurves
  const chosen: SceneLine[] = []
  const heads: SceneLine[] = []
  context.strokeStyle = colours.line
  context.lineWidth = curved ? 1.4 : 1 / view.zoom
  const found = scene.linesIn(area)
  context.globalAlpha = curved ? 1 : Math.max(0.16, Math.min(0.7, 900 / (found.length + 1)))
  let open = 0
  context.beginPath()
  for (const i of found) {
    const line = scene.lines[i]
    if (!line) continue
    if (selected !== undefined && (line.from.includes(selected) || line.to.includes(selected))) {
      chosen.push(line)
      continue
    }
    trace(context, line.points, direction, curved)
    if (curved) heads.push(line)
    // Long paths cost more than many short ones.
    if (++open % 200 === 0) {
      context.stroke()
      context.beginPath()
    }
  }
  context.stroke()
  context.globalAlpha = 1
  context.fillStyle = colours.line
  for (const line of heads) head(context, line.points, direction, 6)
  context.strokeStyle = colours.accent
  context.fillStyle = colours.accent
  context.lineWidth = Math.max(2, 1.5 / view.zoom)
  for (const line of chosen) {
    context.beginPath()
    trace(context, line.points, direction, curved)
    context.stroke()
    head(context, line.points, direction, Math.max(7, 4 / view.zoom))
  }
}

const stub = 12
/** A corner begins and ends at most so far from itself. */
const bend = 48

/** Adds a smooth line along points, which begins and ends in the direction of the graph. */
function trace(context: Context, route: readonly Point[], direction: Direction, curved: boolean): void {
  const first = route[0]
  const last = route.at(-1)
  if (!first || !last) return
  context.moveTo(first.x, first.y)
  if (!curved) {
    for (let i = 1; i < route.length; i++) {
      const p = route[i]
      if (p) context.lineTo(p.x, p.y)
    }
    return
  }
  let before = first
  const points = withStubs(first, last, route, direction)
  points.forEach((corner, i) => {
    const after = points[i + 1]
    if (!after) return context.lineTo(corner.x, corner.y)
    const from = towards(corner, before)
    const to = towards(corner, after)
    context.lineTo(from.x, from.y)
    context.quadraticCurveTo(corner.x, corner.y, to.x, to.y)
    before = corner
    return undefined
  })
}

/** Half the way to a neighbour, but not far: a long way is straight and turns at its end. */
function towards(from: Point, to: Point): Point {
  const share = Math.min(0.5, bend / Math.max(1, Math.hypot(to.x - from.x, to.y - from.y)))
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share }
}

function withStubs(first: Point, last: Point, route: readonly Point[], direction: Direction): Point[] {
  const step = direction === 'LR' ? { x: stub, y: 0 } : { x: 0, y: stub }
  return [{ x: first.x + step.x, y: first.y + step.y }, ...route.slice(1, -1), { x: last.x - step.x, y: last.y - step.y }, last]
}

function head(context: Context, route: readonly Point[], direction: Direction, size: number): void {
  const end = route.at(-1)
  if (!end) return
  context.beginPath()
  context.moveTo(end.x, end.y)
  if (direction === 'LR') {
    context.lineTo(end.x - size, end.y - size * 0.6)
    context.lineTo(end.x - size, end.y + size * 0.6)
  } else {
    context.lineTo(end.x - size * 0.6, end.y - size)
    context.lineTo(end.x + size * 0.6, end.y - size)
  }
  context.fill()
}

/** States differ in form too: done is full, failed has a cross, running is half full, what is to come is empty. */
function drawMarks(context: Context, { scene, boxes, selected }: Picture, found: readonly number[], view: View, colours: Colours): void {
  const byState = new Map<State, Rect[]>()
  for (const i of found) {
    const box = boxes[i]
    const place = scene.places[i]
    if (!box || !place) continue
    if (box.open) {
      frameMark(context, place, view, colours)
      continue
    }
    const list = byState.get(box.task.state)
    if (list) list.push(place)
    else byState.set(box.task.state, [place])
  }
  for (const [state, places] of byState) markState(context, state, places, view, colours)
  const chosen = selected === undefined ? undefined : scene.places[scene.index.get(selected) ?? -1]
  if (!chosen) return
  const room = 4 / view.zoom
  context.strokeStyle = colours.accent
  context.lineWidth = 3 / view.zoom
  context.strokeRect(chosen.x - room, chosen.y - room, chosen.width + 2 * room, chosen.height + 2 * room)
}

function frameMark(context: Context, place: Rect, view: View, colours: Colours): void {
  context.strokeStyle = colours.line
  context.lineWidth = 1 / view.zoom
  context.setLineDash([5 / view.zoom, 4 / view.zoom])
  context.strokeRect(place.x, place.y, place.width, place.height)
  context.setLineDash([])
}

function markState(context: Context, state: State, places: readonly Rect[], view: View, colours: Colours): void {
  const colour = colours.states[state]
  context.fillStyle = colours.surface
  for (const p of places) context.fillRect(p.x, p.y, p.width, p.height)
  context.fillStyle = colour
  // What went well is paler, so that what did not is found.
  context.globalAlpha = state === 'SUCCEEDED' ? 0.6 : 1
  if (state === 'SUCCEEDED' || state === 'FAILED') for (const p of places) context.fillRect(p.x, p.y, p.width, p.height)
  if (state === 'RUNNING' || state === 'CANCELING') for (const p of places) context.fillRect(p.x, p.y, p.width / 2, p.height)
  context.globalAlpha = 1
  context.strokeStyle = colour
  context.lineWidth = Math.min(10, 1 / view.zoom)
  context.beginPath()
  if (state !== 'SUCCEEDED') for (const p of places) context.rect(p.x, p.y, p.width, p.height)
  if (state === 'SKIPPED' || state === 'CANCELED') {
    for (const p of places) {
      context.moveTo(p.x, p.y + p.height)
      context.lineTo(p.x + p.width, p.y)
    }
  }
  context.stroke()
  if (state !== 'FAILED') return
  context.strokeStyle = colours.surface
  context.lineWidth = 6
  context.beginPath()
  for (const p of places) {
    context.moveTo(p.x + p.width * 0.3, p.y + p.height * 0.2)
    context.lineTo(p.x + p.width * 0.7, p.y + p.height * 0.8)
    context.moveTo(p.x + p.width * 0.7, p.y + p.height * 0.2)
    context.lineTo(p.x + p.width * 0.3, p.y + p.height * 0.8)
  }
  context.stroke()
}

