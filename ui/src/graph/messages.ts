// What a page and its graph worker say to each other.
import type { Colours } from './draw'
import type { Direction } from './layout'
import type { Shape } from './shape'
import type { Frame, View } from './viewport'

/** Asks for a layout. The worker draws the graph it was asked for last. */
export interface LayoutRequest {
  kind: 'layout'
  number: number
  shape: Shape
  direction: Direction
}

/** What a picture is to show. */
export interface PictureRequest {
  frame: Frame
  view: View
  /** Pixels of the screen for each of the page. */
  scale: number
  /** The states of the boxes, where they are drawn as marks. */
  states: Uint8Array<ArrayBuffer> | undefined
  /** The number of the selected box; -1 when none is. */
  selected: number
  colours: Colours
}

/** Asks for a picture of the graph with this number. */
export interface DrawRequest extends PictureRequest {
  kind: 'draw'
  number: number
  graph: number
}

export type GraphRequest = LayoutRequest | DrawRequest

export interface LaidOut {
  number: number
  /** Four numbers for each box: x, y, width, height. */
  places: Float64Array<ArrayBuffer>
  width: number
  height: number
}

export interface Drawn {
  number: number
  /** Absent when another graph has taken its place. */
  bitmap?: ImageBitmap
}

export type GraphAnswer = LaidOut | Drawn
