// oxlint-disable typescript/no-non-null-assertion -- every index lies within an array that was made here
// A graph far longer than broad is folded into bands, one below the other, as a text is broken into lines.
import type { Spot } from './layered'

export interface Bands {
  /** Of each layer: where it begins along the graph, and how far it is moved across it. */
  begin: Float64Array
  shift: Float64Array
  /** The band of each layer. */
  of: Int32Array
  /** Where each band begins across the graph. */
  top: number[]
  along: number
  across: number
}

const bandGap = 64
/** Room beside the bands for links that go from one to another. */
const side = 40
/** Fewer layers than this stand in one band. */
const fewest = 24

export function bandsOf(
  layers: readonly Int32Array[],
  depth: readonly number[],
  room: readonly number[],
  centre: Float64Array,
  across: (node: number) => number,
  ratio: number,
): Bands {
  const low = layers.map((layer) => (layer.length > 0 ? centre[layer[0]!]! - across(layer[0]!) / 2 : 0))
  const high = layers.map((layer) => (layer.length > 0 ? centre[layer.at(-1)!]! + across(layer.at(-1)!) / 2 : 0))
  const length = depth.reduce((sum, d, k) => sum + d + room[k]!, 0)
  const breadth = least(high.map((h) => -h)) * -1 - least(low) + bandGap
  const wanted = Math.round(Math.sqrt(length / (ratio * breadth)))
  const count = layers.length < fewest || wanted < 3 ? 1 : wanted
  const bands: Bands = { begin: new Float64Array(layers.length), shift: new Float64Array(layers.length), of: new Int32Array(layers.length), top: [], along: 0, across: 0 }
  const margin = count > 1 ? side : 0
  let first = 0
  let at = margin
  let top = 0
  const close = (end: number) => {
    const from = least(low.slice(first, end))
    bands.top.push(top)
    for (let k = first; k < end; k++) {
      bands.of[k] = bands.top.length - 1
      bands.shift[k] = top - from
    }
    bands.across = top - least(high.slice(first, end).map((h) => -h)) - from
    top = bands.across + bandGap
    first = end
    at = margin
  }
  for (let k = 0; k < layers.length; k++) {
    if (k > first && at + depth[k]! > margin + length / count) close(k)
    bands.begin[k] = at
    bands.along = Math.max(bands.along, at + depth[k]! + margin)
    at += depth[k]! + room[k]!
  }
  if (layers.length > first) close(layers.length)
  return bands
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Infinity)
}

/** The way from one band to another: out at its end, back between the bands, and in at the beginning of the other. */
export function wrap(bands: Bands, from: Spot, fromLayer: number, to: Spot, toLayer: number, number: number): Spot[] {
  const here = bands.of[fromLayer]!
  const there = bands.of[toLayer]!
  const between = bands.top[there]! - bandGap / 2 + ((number % 5) - 2) * 5
  const aside = there > here + 1 ? bands.along - 8 : from.x + 18
  return [
    { x: aside, y: from.y },
    { x: aside, y: between },
    { x: to.x - 18, y: between },
    { x: to.x - 18, y: to.y },
  ]
}
