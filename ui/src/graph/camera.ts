// What of a scene is in sight, and how it moves. It draws without React: only when other boxes come into sight, or words become
// readable, does the page hear of it.
import { type Colours, coloursOf, draw, type Picture, smallestWords } from './draw'
import type { Rect } from './scene'
import { areaOf, broughtIn, type Frame, inSight, kept, limits, type View, viewOf, wholeView, zoomAt } from './viewport'

/** What the page shows as elements: the boxes by number, none when they are marks. */
export interface Sight {
  boxes: readonly number[]
  words: boolean
}

/** What a picture was made of. */
type Drawn = readonly unknown[]

interface Parts {
  host: HTMLElement
  canvas: HTMLCanvasElement
  layer: HTMLElement
}

/** More boxes than this are marks even where their words could be read. */
const mostElements = 500
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
  #looked: { area: Rect; zoom: number; readable: boolean } | undefined
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
    if (picture.scene !== this.#picture?.scene || frame !== this.#frame) this.#looked = undefined
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
    const { layer, canvas } = this.#parts
    const picture = this.#picture
    if (!picture) return
    this.#look(picture)
    const { x, y, zoom } = this.view
    layer.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`
    const what: Drawn = [picture.scene, picture.selected, this.#words || picture.boxes, this.#words, this.#frame, this.#colours]
    const drawn = this.#drawn
    const same = drawn?.what.every((part, i) => part === what[i]) ?? false
    const margin = { x: Math.round(this.#frame.width * around), y: Math.round(this.#frame.height * around) }
    if (drawn && same && !this.#outdated(drawn.view, margin, settled) && !(settled && drawn.view.zoom !== zoom)) {
      const share = zoom / drawn.view.zoom
      canvas.style.transform = `translate(${x - (drawn.view.x + margin.x) * share}px, ${y - (drawn.view.y + margin.y) * share}px) scale(${share})`
      return
    }
    const frame = { width: this.#frame.width + 2 * margin.x, height: this.#frame.height + 2 * margin.y }
    draw(canvas, frame, { x: x + margin.x, y: y + margin.y, zoom }, { ...picture, marks: !this.#words }, this.#colours)
    this.#drawn = { view: this.view, at: performance.now(), what }
    canvas.style.width = `${frame.width}px`
    canvas.style.height = `${frame.height}px`
    canvas.style.transform = `translate(${-margin.x}px, ${-margin.y}px)`
  }

  /** Whether the frame shows what the last picture has not, or has in another size; while it moves a new one comes now and then. */
  #outdated(drawn: View, margin: { x: number; y: number }, settled: boolean): boolean {
    const { view } = this
    const share = view.zoom / drawn.zoom
    const left = view.x - (drawn.x + margin.x) * share
    const top = view.y - (drawn.y + margin.y) * share
    const { width, height } = this.#frame
    const covered = left <= 0 && top <= 0 && left + (width + 2 * margin.x) * share >= width && top + (height + 2 * margin.y) * share >= height
    if (settled) return !covered
    return (!covered || share > 1.8) && performance.now() - (this.#drawn?.at ?? 0) > pace
  }

  /** Finds the boxes in sight, when the last ones may no longer be all. */
  #look({ scene }: Omit<Picture, 'marks'>): void {
    const { zoom } = this.view
    const readable = zoom >= smallestWords
    const last = this.#looked
    if (last && last.readable === readable && (!readable || within(areaOf(this.view, this.#frame), last.area)) && (this.#words === readable || last.zoom === zoom)) return
    const area = areaOf(this.view, this.#frame, 0.4)
    const boxes = readable ? scene.boxesIn(area) : []
    const words = readable && boxes.length <= mostElements
    const changed = !last || words || this.#words
    this.#looked = { area, zoom, readable }
    this.#words = words
    if (changed) this.#onSight({ boxes: words ? boxes : [], words })
  }
}

function within(inner: Rect, outer: Rect): boolean {
  return (
    inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height
  )
}
