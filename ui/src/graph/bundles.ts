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
  // Boxes with equal sums, by a mix of the sums; those whose mix is equal by chance are told apart one by one.
  const alike = new Map<number, number[][]>()
  const equal = (a: number, b: number) => sums.every((sum) => sum[a] === sum[b])
  for (let box = 0; box < count; box++) {
    if (fixed(box)) continue
    const mix = (sums[0]![box]! * 31 + sums[2]![box]!) | 0
    const groups = alike.get(mix)
    const group = groups?.find((g) => equal(g[0]!, box))
    if (group) group.push(box)
    else if (groups) groups.push([box])
    else alike.set(mix, [[box]])
  }
  const unitOf = new Int32Array(count).fill(-1)
  const members: number[][] = []
  const bundles = [...alike.values()].flat().filter((group) => group.length >= fewestAlike)
  const bundled = new Set(bundles.flat())
  for (let box = 0; box < count; box++) {
    if (bundled.has(box)) continue
    unitOf[box] = members.length
    members.push([box])
  }
  for (const group of bundles) {
    for (const box of group) unitOf[box] = members.length
    members.push(group)
  }
  return { unitOf, members, links: unique(links, unitOf, members.length) }
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

function unique(links: readonly Link[], unitOf: Int32Array, units: number): Link[] {
  const seen = new Set<number>()
  const found: Link[] = []
  for (const [a, b] of links) {
    const from = unitOf[a]!
    const to = unitOf[b]!
    const key = from * units + to
    if (from === to || seen.has(key)) continue
    seen.add(key)
    found.push([from, to])
  }
  return found
}
