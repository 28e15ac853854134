// The names of parameters, metrics and tags: as columns, as keys of an order, and in the run they are read from.
import type { TrackedFields, TrackedMetric, TrackedRun } from '../api/types'

export type Kind = 'params' | 'metrics' | 'tags'

/** A column as the address has it: "params.lr". */
export interface Field {
  kind: Kind
  key: string
}

const kinds: readonly Kind[] = ['params', 'metrics', 'tags']

export function parseField(name: string): Field | undefined {
  const dot = name.indexOf('.')
  const kind = kinds.find((k) => k === name.slice(0, dot))
  return kind && dot + 1 < name.length ? { kind, key: name.slice(dot + 1) } : undefined
}

/** A name as filters and orders take it: in backticks where it is not a plain word. */
export function quoted(name: string): string {
  const field = parseField(name)
  if (!field || /^[A-Za-z_][\w.]*$/.test(field.key)) return name
  return `${field.kind}.\`${field.key}\``
}

/** Every name there is, as columns. */
export function namesOf(fields: TrackedFields | undefined): string[] {
  if (!fields) return []
  return kinds.flatMap((kind) => fields[kind].map((key) => `${kind}.${key}`))
}

/** What a table shows until its reader chooses: the first metrics and parameters. */
export function defaultColumns(fields: TrackedFields | undefined): string[] {
  const first = (kind: Kind, n: number) => (fields?.[kind] ?? []).slice(0, n).map((key) => `${kind}.${key}`)
  return [...first('metrics', 4), ...first('params', 4)]
}

/** What stands under a name that has no such key of its own, however it is called. */
export function own(values: Record<string, string>, key: string): string | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined
}

export function metricOf(run: TrackedRun, key: string): TrackedMetric | undefined {
  return run.metrics.find((m) => m.key === key)
}

/** A metric's latest value. NaN when it is not a number, undefined when the run has no such metric. */
export function latest(run: TrackedRun, key: string): number | undefined {
  const metric = metricOf(run, key)
  return metric && (metric.value ?? Number.NaN)
}

/** The value of a column: a number for metrics, text for the others. */
export function valueOf(run: TrackedRun, { kind, key }: Field): number | string | undefined {
  if (kind === 'metrics') return latest(run, key)
  return own(kind === 'params' ? run.params : run.tags, key)
}

export interface Sort {
  name: string
  descending: boolean
}

/** "metrics.loss DESC" as the address has it. */
export function parseSort(text: string): Sort | undefined {
  const match = /^(.+) (ASC|DESC)$/.exec(text)
  return match?.[1] ? { name: match[1], descending: match[2] === 'DESC' } : undefined
}

/** What the next click on a column's head sorts by: highest first, lowest first, not at all. */
export function nextSort(name: string, now: Sort | undefined): string {
  if (now?.name !== name) return `${name} DESC`
  return now.descending ? `${name} ASC` : ''
}

/** The order as the API takes it. */
export function orderOf(sort: Sort | undefined): string {
  return sort ? `${quoted(sort.name)} ${sort.descending ? 'DESC' : 'ASC'}` : ''
}

/** What stands in the address for a choice of nothing; it is no field. */
const nothing = 'none'

/** The fields that the address names with a key, one in each; undefined where it says nothing of them. */
export function fieldsIn(search: URLSearchParams, key: string): string[] | undefined {
  const named = search.getAll(key)
  return named.length > 0 ? named.filter((name) => parseField(name)) : undefined
}

/** How a choice of fields is written into the address: names may hold any character, so each stands alone. */
export function asAddress(names: readonly string[]): readonly string[] {
  return names.length > 0 ? names : [nothing]
}
