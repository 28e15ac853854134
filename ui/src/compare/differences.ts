// What differs between runs.
import type { TrackedRun } from '../api/types'
import { type Field, type Kind, valueOf } from '../experiments/fields'
import { number } from '../format/value'

export interface Difference extends Field {
  /** One for each run; undefined where the run has none. */
  values: (number | string | undefined)[]
  differs: boolean
}

/** Tags that say the same as the page's head does. */
const known = new Set(['mlflow.runName'])

function keysOf(runs: readonly TrackedRun[], kind: Kind): string[] {
  const keys = new Set<string>()
  for (const run of runs) {
    if (kind === 'metrics') for (const m of run.metrics) keys.add(m.key)
    else for (const key of Object.keys(kind === 'params' ? run.params : run.tags)) keys.add(key)
  }
  return [...keys].toSorted((a, b) => (a < b ? -1 : 1))
}

/** Every parameter, metric or tag of the runs with the values that they have. */
export function differences(runs: readonly TrackedRun[], kind: Kind): Difference[] {
  return keysOf(runs, kind)
    .filter((key) => kind !== 'tags' || !known.has(key))
    .map((key) => {
      const values = runs.map((run) => valueOf(run, { kind, key }))
      return { kind, key, values, differs: values.some((v) => !Object.is(v, values[0])) }
    })
}

/** A value as a number, where it is one in full. */
export function asNumber(value: number | string | undefined): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  if (value === undefined || value.trim() === '') return undefined
  const n = Number(value)
  return Number.isFinite(n) ? n : undefined
}

/** An axis of values: by size where all that are there are numbers, else each text has a place of its own. */
export interface Scale {
  numeric: boolean
  /** By orders of magnitude. */
  log: boolean
  low: number
  high: number
  texts: string[]
  /** Where a value is between 0 and 1; undefined for one that is not there. */
  place: (value: number | string | undefined) => number | undefined
}

/** A scale of values; log asks for one by orders of magnitude, where all are numbers above zero. */
export function scaleOf(values: readonly (number | string | undefined)[], log = false): Scale {
  const there = values.filter((v) => v !== undefined && !Number.isNaN(v))
  const numbers = there.map(asNumber).filter((n) => n !== undefined)
  if (there.length > 0 && numbers.length === there.length) {
    const low = numbers.reduce((a, b) => Math.min(a, b))
    const high = numbers.reduce((a, b) => Math.max(a, b))
    const by = log && low > 0 ? Math.log10 : (n: number) => n
    const [from, to] = [by(low), by(high)]
    const place = (value: number | string | undefined) => {
      const n = asNumber(value)
      if (n === undefined) return undefined
      return to === from ? 0.5 : (by(n) - from) / (to - from)
    }
    return { numeric: true, log: by === Math.log10, low, high, texts: [], place }
  }
  const texts = [...new Set(there.map(String))].toSorted()
  const place = (value: number | string | undefined) => {
    if (value === undefined || Number.isNaN(value)) return undefined
    return texts.length === 1 ? 0.5 : texts.indexOf(String(value)) / (texts.length - 1)
  }
  return { numeric: false, log: false, low: 0, high: 0, texts, place }
}

/** Where an axis has ticks, between 0 and 1, and what they say. */
export function ticksOf(scale: Scale): { at: number; text: string }[] {
  if (!scale.numeric) return scale.texts.slice(0, 10).map((text) => ({ at: scale.place(text) ?? 0, text }))
  if (scale.low === scale.high) return [{ at: 0.5, text: number(scale.low) }]
  const value = (at: number) => (scale.log ? scale.low * (scale.high / scale.low) ** at : scale.low + at * (scale.high - scale.low))
  return [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, text: number(Number(value(at).toPrecision(scale.log ? 3 : 6))) }))
}
