// What of a scene is in sight, and how it moves. It draws without React: only when other boxes come into sight, or words become
// readable, does the page hear of it.
import { type Colours, coloursOf, drawOn, type Picture, putOn, smallestWords } from './draw'
import { overlap, type Rect, type Scene } from './scene'
import { statesOf } from './shape'
import { areaOf, broughtIn, type Frame, inSight, kept, limits, type View, viewOf, wholeView, zoomAt } from './viewport'

/** What the page shows as elements: the boxes by number, none when they are marks. */
export interface Sight {
  boxes: readonly number[]
  words: boolean
}

/** What a picture was made of. */
type Drawn = readonly unknown[]

interface Looked {
  area: Rect
  zoom: number
  readable: boolean
  words: boolean
  /** Boxes that are to become elements. */
  waiting: number[]
}

/** By how much a picture is larger than the frame on each side. */
interface Margin {
  x: number
  y: number
}

interface Parts {
  host: HTMLElement
  canvas: HTMLCanvasElement
  layer: HTMLElement
}

/** More boxes than this are marks even where their words could be read. */
const mostElements = 400
/** Boxes beside the frame are made elements, too, so that a small move finds them there: as far as this part of its size on each side. */
const beside = 0.3
/** So many boxes become elements at once; the others with the next pictures. Those in the frame come first. */
const atOnce = 60
/** The picture is larger than the frame by this much of it on each side, so that a movement does not need a new one at once. */
const around = 0.35
/** A new picture is made at most this often while it moves, and after this rest. */
const pace = 120
const rest = 140

export class Camera {
  view: View = { x: 0, y: 0, zoom: 1 }
  /** Whether the reader has moved it; until then it follows what is shown. */
  touched = false
  #parts: Parts
  #frame: Frame = { width: 1, height: 1 }
  #picture: Omit<Picture, 'marks'> | undefined
  #colours: Colours
  #drawn: { view: View; at: number; what: Drawn } | undefined
  #words = false
  /** Whether the picture has boxes as marks: also until the page has those in the frame as elements. */
  #marks = true
  /** What was found in sight, and which boxes of it the page has as elements. */
  #looked: Looked | undefined
  #shown = new Set<number>()
  /** Whether a picture is made beside the page, and whether another one was wanted since. */
  #drawing = false
  #again = false
  #closed = false
  #request = 0
  #settle: ReturnType<typeof setTimeout> | undefined
  #onSight: (sight: Sight) => void
  #onRest: (view: View) => void

  constructor(parts: Parts, onSight: (sight: Sight) => void, onRest: (view: View) => void) {
    this.#parts = parts
    this.#onSight = onSight
    this.#onRest = onRest
    this.#colours = coloursOf(parts.host)
  }

  get frame(): Frame {
    return this.#frame
  }

  close(): void {
    this.#closed = true
    cancelAnimationFrame(this.#request)
    clearTimeout(this.#settle)
  }

  /** The theme has changed. */
  recolour(): void {
    this.#colours = coloursOf(this.#parts.host)
    this.#ask()
  }

  /** Other states or another selection; a new scene makes the sight anew. */
  show(picture: Omit<Picture, 'marks'>, frame: Frame): void {
    if (picture.scene !== this.#picture?.scene || frame !== this.#frame) {
      this.#looked = undefined
      this.#shown.clear()
    }
    this.#picture = picture
    this.#frame = frame
    this.#ask()
  }

  /** Goes there at once, as the page asks. */
  go(view: View): void {
    this.view = view
    this.#ask()
  }

  /** Makes the picture now, so that what is opened is there with the first frame. */
  now(): void {
    cancelAnimationFrame(this.#request)
    this.#request = 0
    this.#paint()
  }

  pan(dx: number, dy: number): void {
    this.#move({ ...this.view, x: this.view.x + dx, y: this.view.y + dy })
  }

  zoom(factor: number, at = { x: this.#frame.width / 2, y: this.#frame.height / 2 }): void {
    const scene = this.#picture?.scene
    if (scene) this.#move(zoomAt(this.view, factor, at, limits(scene, this.#frame)))
  }

  fit(): void {
    const scene = this.#picture?.scene
    if (scene) this.#move(wholeView(scene, this.#frame))
  }

  /** Makes a box readable and puts it into the middle, unless it is in sight already. */
  reveal(place: Rect): void {
    const scene = this.#picture?.scene
    if (!scene || (this.view.zoom >= smallestWords && inSight(place, this.view, this.#frame))) return
    this.#move(viewOf(scene, this.#frame, place))
  }

  /** Moves as little as brings a box into sight. */
  bringIn(place: Rect): void {
    this.#move(broughtIn(place, this.view, this.#frame))
  }

  /** The number of the innermost box at a point of the frame. */
  boxAt({ x, y }: { x: number; y: number }): number | undefined {
    const { view } = this
    return this.#picture?.scene.boxesIn({ x: (x - view.x) / view.zoom, y: (y - view.y) / view.zoom, width: 0, height: 0 }).at(-1)
  }

  get words(): boolean {
    return this.#words
  }

  /** Shows the name of what is pointed at. */
  name<T>(thing: T | undefined, text: (thing: T) => string): void {
    this.#parts.host.title = thing === undefined ? '' : text(thing)
    this.#parts.host.style.cursor = thing === undefined ? '' : 'pointer'
  }

  #move(view: View): void {
    const scene = this.#picture?.scene
    this.view = scene ? kept(view, scene, this.#frame) : view
    this.touched = true
    this.#ask()
    // A layer of its own is moved without being painted, but its words are not made sharp again.
    this.#parts.layer.style.willChange = 'transform'
    clearTimeout(this.#settle)
    this.#settle = setTimeout(() => {
      this.#parts.layer.style.willChange = ''
      this.#paint(true)
      this.#onRest(this.view)
    }, rest)
  }

  #ask(): void {
    this.#request ||= requestAnimationFrame(() => {
      this.#request = 0
      this.#paint()
    })
  }

  #paint(settled = false): void {
    const { layer } = this.#parts
    const picture = this.#picture
    if (!picture) return
    this.#look(picture)
    const { x, y, zoom } = this.view
    layer.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`
    const what: Drawn = [picture.scene, picture.selected, this.#marks && picture.boxes, this.#frame, this.#colours]
    const drawn = this.#drawn
    const same = drawn?.what.every((part, i) => part === what[i]) ?? false
    const margin = { x: Math.round(this.#frame.width * around), y: Math.round(this.#frame.height * around) }
    this.#follow(margin)
    if (drawn && same && !this.#outdated(drawn.view, margin, settled) && !(settled && drawn.view.zoom !== zoom)) return
    this.#draw(picture, what, margin)
  }

  /** Moves the last picture to where it belongs until there is another one. */
  #follow(margin: Margin): void {
    const drawn = this.#drawn
    if (!drawn) return
    const { x, y, zoom } = this.view
    const share = zoom / drawn.view.zoom
    this.#parts.canvas.style.transform = `translate(${x - (drawn.view.x + margin.x) * share}px, ${y - (drawn.view.y + margin.y) * share}px) scale(${share})`
  }

  #draw(picture: Omit<Picture, 'marks'>, what: Drawn, margin: Margin): void {
    const { view } = this
    const { scene } = picture
    const frame = { width: this.#frame.width + 2 * margin.x, height: this.#frame.height + 2 * margin.y }
    const scale = window.devicePixelRatio || 1
    const moved = { x: view.x + margin.x, y: view.y + margin.y, zoom: view.zoom }
    const done = () => {
      this.#drawn = { view, at: performance.now(), what }
      this.#parts.canvas.style.width = `${frame.width}px`
      this.#parts.canvas.style.height = `${frame.height}px`
      this.#follow(margin)
    }
    if (!scene.drawBeside) {
      drawOn(this.#parts.canvas, frame, scale, moved, { ...picture, marks: this.#marks }, this.#colours)
      done()
      return
    }
    this.#again = this.#drawing
    if (this.#drawing) return
    this.#drawing = true
    const selected = picture.selected === undefined ? -1 : (scene.index.get(picture.selected) ?? -1)
    const states = this.#marks ? statesOf(picture.boxes) : undefined
    void scene.drawBeside({ frame, scale, view: moved, states, selected, colours: this.#colours }).then(
      (bitmap) => {
        this.#drawing = false
        // A picture of a scene that has been replaced meanwhile is not shown.
        if (bitmap && !this.#closed && scene === this.#picture?.scene) {
          putOn(this.#parts.canvas, frame, scale, bitmap)
          done()
        } else bitmap?.close()
        if (this.#again && !this.#closed) this.#ask()
      },
      () => {
        this.#drawing = false
      },
    )
  }

  /** Whether the frame shows what the last picture has not, or has in another size; while it moves a new one comes now and then. */
  #outdated(drawn: View, margin: Margin, settled: boolean): boolean {
    const { view } = this
    const share = view.zoom / drawn.zoom
    const left = view.x - (drawn.x + margin.x) * share
    const top = view.y - (drawn.y + margin.y) * share
    const { width, height } = this.#frame
    const covered = left <= 0 && top <= 0 && left + (width + 2 * margin.x) * share >= width && top + (height + 2 * margin.y) * share >= height
    if (settled) return !covered
    return (!covered || share > 1.8) && performance.now() - (this.#drawn?.at ?? 0) > pace
  }

  /** Finds the boxes in sight, when the last ones may no longer be all, and gives them to the page bit by bit. */
  #look({ scene }: Omit<Picture, 'marks'>): void {
    const { zoom } = this.view
    const readable = zoom >= smallestWords
    const last = this.#looked
    const known = last && last.readable === readable && (!readable || within(areaOf(this.view, this.#frame), last.area)) && (this.#words === readable || last.zoom === zoom)
    if (known) {
      if (last.waiting.length > 0) this.#fill(scene, last, atOnce)
      return
    }
    const found = this.#find(scene, readable)
    const changed = !last || found.words || this.#words
    this.#looked = found
    this.#words = found.words
    if (!found.words) this.#marks = true
    if (changed) this.#fill(scene, found, last ? atOnce : mostElements)
  }

  #find(scene: Scene, readable: boolean): Looked {
    const area = areaOf(this.view, this.#frame, beside)
    const boxes = readable ? scene.boxesIn(area) : []
    const words = readable && boxes.length <= mostElements
    const wanted = new Set(words ? boxes : [])
    for (const box of this.#shown) if (!wanted.has(box)) this.#shown.delete(box)
    return { area, zoom: this.view.zoom, readable, words, waiting: [...wanted].filter((box) => !this.#shown.has(box)) }
  }

  /** Makes elements of the next boxes: of up to so many in the frame, and with these of a few beside it. */
  #fill(scene: Scene, looked: Looked, most: number): void {
    const frame = areaOf(this.view, this.#frame)
    const inFrame: number[] = []
    const others: number[] = []
    for (const box of looked.waiting) (overlap(scene.places[box] ?? nowhere, frame) ? inFrame : others).push(box)
    const next = inFrame.splice(0, most)
    next.push(...others.splice(0, Math.max(0, atOnce - next.length)))
    for (const box of next) this.#shown.add(box)
    looked.waiting = [...inFrame, ...others]
    if (inFrame.length === 0 && this.#words) this.#marks = false
    this.#onSight({ boxes: [...this.#shown].toSorted((a, b) => a - b), words: this.#words })
    if (looked.waiting.length > 0) this.#ask()
  }
}

const nowhere: Rect = { x: NaN, y: NaN, width: 0, height: 0 }

function within(inner: Rect, outer: Rect): boolean {
  return (
    inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height
  )
}
