// oxlint-disable typescript/no-non-null-assertion -- every index lies within an array that was made here
// Tasks that come after the same and before the same are alike in a graph: many of them are drawn as one block of rows, with
// one arrow into it and one out.
import type { Link } from './layered'

export interface Bundles {
  /** The unit of each box; units beyond the single boxes are bundles. */
  unitOf: Int32Array
  /** The boxes of each unit. */
  members: number[][]
  links: Link[]
}

/** Fewer than this are drawn one by one. */
export const fewestAlike = 10

/** Gathers boxes with equal neighbours; fixed ones stay by themselves. */
export function bundle(count: number, links: readonly Link[], fixed: (box: number) => boolean): Bundles {
  // Two sums of scrambled numbers stand for the set of neighbours: equal sets have equal sums, others practically never.
  const sums = Array.from({ length: 4 }, () => new Float64Array(count))
  for (const [a, b] of links) {
    add(sums[0]!, b, scramble(a, 0x9e3779b1))
    add(sums[1]!, b, scramble(a, 0x85ebca6b))
    add(sums[2]!, a, scramble(b, 0x9e3779b1))
    add(sums[3]!, a, scramble(b, 0x85ebca6b))
  }
  const groupOf = alikes(count, sums as [Float64Array, Float64Array, Float64Array, Float64Array], fixed)
  const sizes = new Int32Array(count)
  for (const group of groupOf) sizes[group]!++
  const unitOf = new Int32Array(count)
  const members: number[][] = []
  for (let box = 0; box < count; box++) {
    if (sizes[groupOf[box]!]! >= fewestAlike) continue
    unitOf[box] = members.length
    members.push([box])
  }
  if (members.length === count) return { unitOf, members, links: [...links] }
  const singles = members.length
  for (let box = 0; box < count; box++) {
    const first = groupOf[box]!
    if (sizes[first]! < fewestAlike) continue
    if (first === box) members.push([])
    unitOf[box] = first === box ? members.length - 1 : unitOf[first]!
    members[unitOf[box]!]!.push(box)
  }
  return { unitOf, members, links: unique(links, unitOf, singles, members.length) }
}

/** Of each box the first one that is alike. A mix of the sums finds it; those whose mix is equal by chance are told apart one by one. */
function alikes(count: number, [a, b, c, d]: readonly [Float64Array, Float64Array, Float64Array, Float64Array], fixed: (box: number) => boolean): Int32Array {
  const groupOf = new Int32Array(count)
  const firsts = new Map<number, number>()
  const following = new Int32Array(count).fill(-1)
  for (let box = 0; box < count; box++) {
    groupOf[box] = box
    if (fixed(box)) continue
    const mix = (a[box]! * 31 + c[box]!) | 0
    const begin = firsts.get(mix) ?? -1
    let other = begin
    while (other >= 0 && !(a[other] === a[box] && b[other] === b[box] && c[other] === c[box] && d[other] === d[box])) other = following[other]!
    if (other >= 0) groupOf[box] = other
    else {
      following[box] = begin
      firsts.set(mix, box)
    }
  }
  return groupOf
}

function add(sum: Float64Array, box: number, value: number): void {
  sum[box] = sum[box]! + value
}

function scramble(value: number, factor: number): number {
  let x = Math.imul(value + 1, factor)
  x ^= x >>> 15
  x = Math.imul(x, 0x2c1b3c6d)
  x ^= x >>> 13
  return (x >>> 0) + 1
}

/** The links between units; of those from or to a bundle each once. */
function unique(links: readonly Link[], unitOf: Int32Array, singles: number, units: number): Link[] {
  const seen = new Set<number>()
  const found: Link[] = []
  for (const [a, b] of links) {
    const from = unitOf[a]!
    const to = unitOf[b]!
    if (from >= singles || to >= singles) {
      const key = from * units + to
      if (seen.has(key)) continue
      seen.add(key)
    }
    found.push([from, to])
  }
  return found
}
