// oxlint-disable typescript/no-non-null-assertion -- every index lies within an array that was made here
// A layered layout for graphs of any size, in time that grows about as the graph does: layers by longest path, order by
// barycentres in a bounded number of sweeps, places by pooling neighbours that want to be at the same spot. It is meant
// for graphs that are too large for dagre, and gives the same picture every time.
import { bandsOf, wrap } from './bands'

/** A box or a bundle of boxes, measured along the direction of the graph and across it. */
export interface Unit {
  along: number
  across: number
}

/** x counts along the graph, y across it. */
export interface Spot {
  x: number
  y: number
}

export interface Layered {
  /** The corner of each unit. */
  spots: Spot[]
  /** For each link the points it goes through, from the end of one unit to the beginning of the other. */
  routes: Spot[][]
  along: number
  across: number
}

/** Links are pairs of indices of units, and must not form a circle. */
export type Link = readonly [from: number, to: number]

export interface Gaps {
  /** Between layers. */
  layer: number
  /** Between units of a layer. */
  unit: number
}

/** Pieces of long links are this wide where they pass a layer. */
const lane = 10

/** The graph with a piece for each layer that a long link passes; pieces have no unit. */
export interface Net {
  units: readonly Unit[]
  layerOf: Int32Array
  /** Layers of node numbers in their order; numbers beyond the units are pieces. */
  layers: Int32Array[]
  /** Pieces of each link: how many there are, and the node of the first. The others follow it, in the direction of the link. */
  pieces: { first: Int32Array; count: Int32Array }
  links: readonly Link[]
  up: Csr
  down: Csr
}

export function layered(units: readonly Unit[], links: readonly Link[], gaps: Gaps, ratio: number): Layered {
  const net = netOf(units, links)
  order(net)
  const centre = centres(net, gaps)
  return assemble(net, centre, gaps, ratio)
}

/** Neighbours of each node, one after the other in one array. */
interface Csr {
  start: Int32Array
  node: Int32Array
}

function csr(count: number, from: ArrayLike<number>, to: ArrayLike<number>): Csr {
  const start = new Int32Array(count + 1)
  for (let i = 0; i < from.length; i++) start[from[i]! + 1]!++
  for (let i = 0; i < count; i++) start[i + 1]! += start[i]!
  const node = new Int32Array(from.length)
  const next = start.slice()
  for (let i = 0; i < from.length; i++) node[next[from[i]!]!++] = to[i]!
  return { start, node }
}

function layersOf(count: number, links: readonly Link[]): Int32Array {
  const from = links.map((l) => l[0])
  const to = links.map((l) => l[1])
  const down = csr(count, from, to)
  const left = new Int32Array(count)
  for (const t of to) left[t]!++
  const layer = new Int32Array(count)
  const sequence: number[] = []
  for (let i = 0; i < count; i++) if (left[i] === 0) sequence.push(i)
  const sources = sequence.length
  for (let i = 0; i < sequence.length; i++) {
    const u = sequence[i]!
    for (let k = down.start[u]!; k < down.start[u + 1]!; k++) {
      const v = down.node[k]!
      if (layer[v]! <= layer[u]!) layer[v] = layer[u]! + 1
      if (--left[v]! === 0) sequence.push(v)
    }
  }
  // What nothing comes before stands just before what needs it first.
  for (let i = 0; i < sources; i++) {
    const u = sequence[i]!
    let first = Infinity
    for (let k = down.start[u]!; k < down.start[u + 1]!; k++) first = Math.min(first, layer[down.node[k]!]!)
    if (Number.isFinite(first)) layer[u] = first - 1
  }
  return layer
}

/** How many layers a link may pass with a piece in each, so that the pieces do not outnumber the graph by much. */
function longest(units: number, links: readonly Link[], layer: Int32Array): number {
  const allowed = 3 * (units + links.length) + 1000
  for (const most of [Infinity, 64, 16, 4]) {
    let sum = 0
    for (const [a, b] of links) {
      const span = layer[b]! - layer[a]! - 1
      if (span <= most) sum += span
    }
    if (sum <= allowed) return most
  }
  return 0
}

function netOf(units: readonly Unit[], links: readonly Link[]): Net {
  const unitLayer = layersOf(units.length, links)
  const most = longest(units.length, links, unitLayer)
  const layerOf = Array.from(unitLayer)
  const from: number[] = []
  const to: number[] = []
  const pieces = { first: new Int32Array(links.length), count: new Int32Array(links.length) }
  links.forEach(([a, b], link) => {
    const span = unitLayer[b]! - unitLayer[a]! - 1
    if (span > most || span < 0) return
    pieces.first[link] = layerOf.length
    pieces.count[link] = span
    let last = a
    for (let i = 1; i <= span; i++) {
      const piece = layerOf.length
      layerOf.push(unitLayer[a]! + i)
      from.push(last)
      to.push(piece)
      last = piece
    }
    from.push(last)
    to.push(b)
  })
  const count = layerOf.length
  const members: number[][] = []
  for (let i = 0; i < count; i++) (members[layerOf[i]!] ??= []).push(i)
  const layers = Array.from(members, (m) => Int32Array.from(m ?? []))
  return { units, links, pieces, layers, layerOf: Int32Array.from(layerOf), up: csr(count, to, from), down: csr(count, from, to) }
}

/** Orders each layer by where its neighbours stand, down and up in turn. */
function order(net: Net): void {
  const { layers, up, down, layerOf } = net
  const at = new Float64Array(layerOf.length)
  const key = new Float64Array(layerOf.length)
  const number = (layer: Int32Array) => {
    for (let i = 0; i < layer.length; i++) at[layer[i]!] = (i + 0.5) / layer.length
  }
  layers.forEach(number)
  const sweeps = Math.max(2, Math.min(10, Math.round(600_000 / (layerOf.length + down.node.length + 1))))
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const forward = sweep % 2 === 0
    const near = forward ? up : down
    for (let k = 1; k < layers.length; k++) {
      const layer = layers[forward ? k : layers.length - 1 - k]!
      if (layer.length < 2) continue
      let last = -1
      let sorted = true
      for (const node of layer) {
        const wanted = mean(near, node, at) ?? at[node]!
        key[node] = wanted
        sorted &&= wanted >= last
        last = wanted
      }
      if (sorted) continue
      layer.sort((a, b) => key[a]! - key[b]! || at[a]! - at[b]!)
      number(layer)
    }
  }
}

function mean(near: Csr, node: number, at: Float64Array): number | undefined {
  const begin = near.start[node]!
  const end = near.start[node + 1]!
  if (begin === end) return undefined
  let sum = 0
  for (let k = begin; k < end; k++) sum += at[near.node[k]!]!
  return sum / (end - begin)
}

/** Where the middle of each node is across the graph: near its neighbours, and none upon another. */
function centres(net: Net, gaps: Gaps): Float64Array {
  const { layers, units, up, down, layerOf } = net
  const centre = new Float64Array(layerOf.length)
  const half = new Float64Array(layerOf.length).fill(lane / 2)
  units.forEach((unit, i) => (half[i] = unit.across / 2))
  for (const layer of layers) {
    let end = 0
    for (const node of layer) {
      centre[node] = end + half[node]!
      end += 2 * half[node]! + gaps.unit
    }
    for (const node of layer) centre[node]! -= end / 2
  }
  const wanted = new Float64Array(layerOf.length)
  const place = pools(half, gaps.unit, (node) => (node < units.length ? 1 : 4), Math.max(0, ...layers.map((layer) => layer.length)))
  for (let sweep = 0; sweep < 8; sweep++) {
    const near = sweep % 2 === 0 ? up : down
    for (let k = 0; k < layers.length; k++) {
      const layer = layers[sweep % 2 === 0 ? k : layers.length - 1 - k]!
      for (const node of layer) wanted[node] = mean(near, node, centre) ?? centre[node]!
      place(layer, wanted, centre)
    }
  }
  return centre
}

/** Gives places to layers of up to most nodes, which are kept in memory that every layer uses. */
function pools(half: Float64Array, gap: number, weight: (node: number) => number, most: number) {
  const offset = new Float64Array(most)
  const sum = new Float64Array(most)
  const mass = new Float64Array(most)
  const size = new Int32Array(most)
  /** The places nearest to the wanted ones that keep order and distance: neighbours that collide are pooled and moved as one. */
  return (layer: Int32Array, wanted: Float64Array, centre: Float64Array) => {
    let blocks = 0
    for (let i = 0; i < layer.length; i++) {
      const node = layer[i]!
      offset[i] = i > 0 ? offset[i - 1]! + half[layer[i - 1]!]! + half[node]! + gap : 0
      let w = weight(node)
      let s = (wanted[node]! - offset[i]!) * w
      let n = 1
      while (blocks > 0 && sum[blocks - 1]! / mass[blocks - 1]! >= s / w) {
        blocks--
        s += sum[blocks]!
        w += mass[blocks]!
        n += size[blocks]!
      }
      sum[blocks] = s
      mass[blocks] = w
      size[blocks] = n
      blocks++
    }
    let i = 0
    for (let block = 0; block < blocks; block++) {
      const place = sum[block]! / mass[block]!
      for (let k = 0; k < size[block]!; k++, i++) centre[layer[i]!] = place + offset[i]!
    }
  }
}

/** The room between a layer and the next: more where many links go, so that they do not become one wall. */
function roomAfter({ layers, down }: Net, gaps: Gaps): number[] {
  return layers.map((layer) => {
    let links = 0
    for (const node of layer) links += down.start[node + 1]! - down.start[node]!
    return gaps.layer + Math.min(140, Math.max(0, links - 12))
  })
}

/** Turns layers into places, folding what is far longer than broad into bands, as lines of a text. */
function assemble(net: Net, centre: Float64Array, gaps: Gaps, ratio: number): Layered {
  const { units, layers, layerOf, links, pieces } = net
  const across = (node: number) => units[node]?.across ?? lane
  const depth = layers.map((layer) => layer.reduce((most, node) => Math.max(most, units[node]?.along ?? 0), 0))
  const bands = bandsOf(layers, depth, roomAfter(net, gaps), centre, across, ratio)
  const begin = (node: number) => bands.begin[layerOf[node]!]!
  const middle = (node: number) => centre[node]! + bands.shift[layerOf[node]!]!
  const spots = units.map((unit, i) => ({ x: begin(i), y: middle(i) - unit.across / 2 }))
  const routes = links.map(([a, b], i) => {
    const points: Spot[] = [{ x: begin(a) + units[a]!.along, y: middle(a) }]
    let last = layerOf[a]!
    const go = (layer: number, next: Spot) => {
      if (bands.of[last] !== bands.of[layer]) points.push(...wrap(bands, points.at(-1)!, last, next, layer, i))
      points.push(next)
      last = layer
    }
    const first = pieces.first[i]!
    for (let piece = first; piece < first + pieces.count[i]!; piece++) {
      const layer = layerOf[piece]!
      const y = middle(piece)
      go(layer, { x: begin(piece), y })
      points.push({ x: begin(piece) + depth[layer]!, y })
    }
    go(layerOf[b]!, { x: begin(b), y: middle(b) })
    return points
  })
  return { spots, routes, along: bands.along, across: bands.across }
}
