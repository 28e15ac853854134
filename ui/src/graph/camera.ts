// What of a scene is in sight, and how it moves. It draws without React: only when other boxes come into sight, or words become
// readable, does the page hear of it.
import { type Colours, coloursOf, draw, type Picture, smallestWords } from './draw'
import type { Rect } from './scene'
import { areaOf, broughtIn, type Frame, inSight, kept, largest, smallestZoom, type View, viewOf, wholeView, zoomAt } from './viewport'

/** What the page shows as elements: the boxes by number, none when they are marks. */
export interface Sight {
  boxes: readonly number[]
  words: boolean
}

interface Parts {
  host: HTMLElement
  canvas: HTMLCanvasElement
  layer: HTMLElement
}

/** More boxes than this are marks even where their words could be read. */
const mostElements = 500
/** A picture that takes longer is not made anew for each frame of a movement. */
const quick = 10
const rest = 140

export class Camera {
  view: View = { x: 0, y: 0, zoom: 1 }
  /** Whether the reader has moved it; until then it follows what is shown. */
  touched = false
  #parts: Parts
  #frame: Frame = { width: 1, height: 1 }
  #picture: Omit<Picture, 'marks'> | undefined
  #colours: Colours
  #drawn: View | undefined
  #cost = 0
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
    this.#drawn = undefined
    this.#ask()
  }

  /** Other states or another selection; a new scene makes the sight anew. */
  show(picture: Omit<Picture, 'marks'>, frame: Frame): void {
    if (picture.scene !== this.#picture?.scene) this.#looked = undefined
    this.#picture = picture
    this.#frame = frame
    this.#drawn = undefined
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
    if (scene) this.#move(zoomAt(this.view, factor, at, [Math.min(0.1, smallestZoom(scene, this.#frame)), largest]))
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
    clearTimeout(this.#settle)
    this.#settle = setTimeout(() => {
      if (this.#drawn !== this.view) this.#paint(true)
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
    if (this.#drawn && this.#drawn !== this.view && this.#cost > quick && !settled) {
      // While it moves the last picture is moved along, until there is time for a new one.
      const share = zoom / this.#drawn.zoom
      canvas.style.transform = `translate(${x - this.#drawn.x * share}px, ${y - this.#drawn.y * share}px) scale(${share})`
      return
    }
    const start = performance.now()
    draw(canvas, this.#frame, this.view, { ...picture, marks: !this.#words }, this.#colours)
    this.#cost = performance.now() - start
    this.#drawn = this.view
    canvas.style.transform = ''
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
