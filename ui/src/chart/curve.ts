// Curves as charts need them: on one x axis, smoothed, with what a logarithm cannot show left out.
import type { Curve } from '../api/types'

export type Axis = 'step' | 'time' | 'wall'

/** One line of a chart. */
export interface Line {
  id: string
  label: string
  /** Which of the looks of a line it has: the same run looks the same in every chart. */
  look: number
  xs: number[]
  ys: (number | null)[]
}

/**
 * Smooths with an exponential moving average that is corrected at its beginning, as TensorBoard does; weight 0 changes nothing,
 * and values that are no numbers stay as they are.
 */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values]
  let sum = 0
  let n = 0
  return values.map((v) => {
    if (v === null) return null
    sum = sum * weight + (1 - weight) * v
    n++
    return sum / (1 - weight ** n)
  })
}

/** The x values of a curve: steps, seconds since its run began, or seconds since 1970. */
export function along(curve: Curve, axis: Axis, startMs: number): number[] {
  if (axis === 'step') return curve.steps
  if (axis === 'wall') return curve.time_ms.map((t) => t / 1000)
  return curve.time_ms.map((t) => (t - startMs) / 1000)
}

/** Puts points in the order of x, which for times differs from that of steps when a run was resumed. */
export function inOrder(xs: number[], ys: (number | null)[]): { xs: number[]; ys: (number | null)[] } {
  if (xs.every((x, i) => i === 0 || x >= (xs[i - 1] ?? x))) return { xs, ys }
  const order = xs.map((_, i) => i).toSorted((a, b) => (xs[a] ?? 0) - (xs[b] ?? 0))
  return { xs: order.map((i) => xs[i] ?? 0), ys: order.map((i) => ys[i] ?? null) }
}

/** The values that a logarithmic axis can show; the others become gaps. */
export function positive(values: readonly (number | null)[]): (number | null)[] {
  return values.map((v) => (v !== null && v > 0 ? v : null))
}

/** The points that a logarithmic x axis can show. */
export function beyondZero(xs: number[], ys: (number | null)[]): { xs: number[]; ys: (number | null)[] } {
  if (xs.every((x) => x > 0)) return { xs, ys }
  const there = Array.from(xs.keys()).filter((i) => (xs[i] ?? 0) > 0)
  return { xs: there.map((i) => xs[i] ?? 0), ys: there.map((i) => ys[i] ?? null) }
}

/** One sorted x axis for lines that each have their own, and the values of each on it. Where a line has several values at an x the last one counts. */
export function align(lines: readonly Line[]): [number[], ...(number | null | undefined)[][]] {
  const xs = [...new Set(lines.flatMap((line) => line.xs))].toSorted((a, b) => a - b)
  const at = new Map(xs.map((x, i) => [x, i]))
  const columns = lines.map((line) => {
    const column: (number | null | undefined)[] = Array.from({ length: xs.length })
    for (const [i, x] of line.xs.entries()) column[at.get(x) ?? 0] = line.ys[i] ?? null
    return column
  })
  return [xs, ...columns]
}

/** The first and last x of all lines, and for each line two values that nobody sees: what a chart has to know of lines that draw themselves. */
export function ends(lines: readonly Line[]): [number[], ...number[][]] {
  let [low, high] = [Infinity, -Infinity]
  for (const { xs } of lines) {
    low = Math.min(low, xs[0] ?? low)
    high = Math.max(high, xs.at(-1) ?? high)
  }
  if (low > high) return [[], ...lines.map(() => [])]
  const xs = low === high ? [low] : [low, high]
  return [xs, ...lines.map(() => xs.map(() => 1))]
}

/** Where an x stands in a sorted list: the first place that is not below it. */
function search(xs: readonly number[], x: number): number {
  let [low, high] = [0, xs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((xs[middle] ?? 0) < x) low = middle + 1
    else high = middle
  }
  return low
}

/** The place of a line's value nearest to x; undefined when it has none. */
export function nearestOf({ xs, ys }: Line, x: number): number | undefined {
  const from = search(xs, x)
  let [left, right] = [from - 1, from]
  while (left >= 0 && ys[left] == null) left--
  while (right < xs.length && ys[right] == null) right++
  if (left < 0) return right < xs.length ? right : undefined
  if (right >= xs.length) return left
  return x - (xs[left] ?? 0) <= (xs[right] ?? 0) - x ? left : right
}

/** The lowest and the highest value between two x; the first is above the second when there is none. */
export function within(lines: readonly Line[], from: number, to: number): [number, number] {
  let [low, high] = [Infinity, -Infinity]
  for (const { xs, ys } of lines) {
    for (let i = search(xs, from); i < xs.length && (xs[i] ?? 0) <= to; i++) {
      const y = ys[i]
      if (y == null) continue
      if (y < low) low = y
      if (y > high) high = y
    }
  }
  return [low, high]
}

/** The nearest place at which a line has a value. */
export function nearest(column: ArrayLike<number | null | undefined>, index: number): number | null {
  for (let d = 0; d < column.length; d++) {
    if (column[index - d] != null) return index - d
    if (column[index + d] != null) return index + d
  }
  return null
}

/** A part of an x axis. */
export interface Stretch {
  from: number
  to: number
}

/** A stretch as part of an address: with as many digits as tell a thousandth of it apart. */
export function stretchText({ from, to }: Stretch): string {
  const digits = Math.min(20, Math.max(0, 3 - Math.floor(Math.log10(to - from))))
  return [from, to].map((x) => String(Number(x.toFixed(digits)))).join(',')
}

/** The stretch that an address names; undefined for what is none. */
export function stretchFrom(text: string | null): Stretch | undefined {
  const [from, to, more] = (text ?? '').split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
  if (from === undefined || to === undefined || more !== undefined || !Number.isFinite(from) || !Number.isFinite(to) || from >= to) return undefined
  return { from, to }
}

/** Whether two stretches look the same in a chart. */
export function sameStretch(a: Stretch | undefined, b: Stretch | undefined): boolean {
  if (!a || !b) return a === b
  const slack = (b.to - b.from) / 500
  return Math.abs(a.from - b.from) <= slack && Math.abs(a.to - b.to) <= slack
}

const dashes: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3]]

/** How many colours there are: see --series-1 and its siblings. */
export const colours = 8

/** The look of a line: a colour, and once the colours are used up, dashes. */
export function lookOf(n: number): { token: string; dash: number[] } {
  return { token: `var(--series-${(n % colours) + 1})`, dash: [...(dashes[Math.floor(n / colours) % dashes.length] ?? [])] }
}
