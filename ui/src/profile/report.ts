// Reports about tables, as `levada data check`, `levada data drift` and `levada data profile` write them. They come from steps: nothing in
// them is taken for granted.
import type { Profile } from '../api/types'

export interface Finding {
  column?: string | undefined
  what: string
  count?: number | undefined
  row?: number | undefined
}

export interface CheckResult {
  column: string
  statement: string
  success: boolean
  error: string
  observed: string
  elements: number | undefined
  missing: number | undefined
  unexpected: number | undefined
  examples: { row: number; value: string }[]
}

export interface CheckReport {
  kind: 'check'
  success: boolean
  /** Of a check against a schema, which lists what is not as it says. */
  schema: boolean
  rows: number
  /** Why nothing was evaluated; empty where it was. */
  notJudged: string
  results: CheckResult[]
  /** What was misread of the table. */
  misread: Finding[]
}

export interface Side {
  missing: number | undefined
  distinct: number | undefined
  mean: number | undefined
  sd: number | undefined
}

export interface DriftResult {
  name: string
  role: string
  kind: string
  method: string
  score: number | undefined
  scoreIs: string
  threshold: number
  drifted: boolean
  effect: number | undefined
  importance: number | undefined
  reference: Side
  current: Side
  bins: { reference: number[]; current: number[] } | undefined
  note: string
}

export interface DriftReport {
  kind: 'drift'
  drifted: boolean
  driftedColumns: number
  compared: number
  share: number
  limit: number
  referenceRows: number
  currentRows: number
  season: string
  notJudged: string
  findings: Finding[]
  columns: DriftResult[]
  /** What was misread of the reference and of the current table. */
  referenceMisread: Finding[]
  currentMisread: Finding[]
}

export interface ProfileReport {
  kind: 'profile'
  profile: Profile
}

export type Report = CheckReport | DriftReport | ProfileReport

type Json = Record<string, unknown>

const isObject = (v: unknown): v is Json => typeof v === 'object' && v !== null && !Array.isArray(v)
const objects = (v: unknown): Json[] => (Array.isArray(v) ? v.filter(isObject) : [])
const numberOf = (v: unknown) => (typeof v === 'number' ? v : undefined)
const textOf = (v: unknown) => (typeof v === 'string' ? v : v === undefined || v === null ? '' : JSON.stringify(v))
const numbersOf = (v: unknown): number[] => (Array.isArray(v) ? v.map((n) => numberOf(n) ?? 0) : [])

const misreadOf = (v: unknown): Finding[] => objects(v).map((f) => ({ column: textOf(f['column']), what: textOf(f['what']), count: numberOf(f['count']), row: numberOf(f['row']) }))

/** Whether a text begins as a report does. */
export function looksLikeReport(text: string): boolean {
  const head = text.slice(0, 4096)
  return /^\s*\{\s*"reference_rows"\s*:/.test(head) || /^\s*\{\s*("suite"\s*:\s*"[^"]*",\s*)?"success"\s*:\s*(true|false),\s*"rows"\s*:/.test(head) || /^\s*\{\s*"rows"\s*:\s*\d+,\s*"columns"\s*:\s*\[\s*\{\s*"name"/.test(head)
}

/** Reads a report; undefined is a JSON that is none. */
export function parseReport(text: string): Report | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isObject(json)) return undefined
  if (typeof json['dataset_drift'] === 'boolean' && Array.isArray(json['columns'])) return drift(json)
  if (typeof json['success'] === 'boolean' && Array.isArray(json['results'])) return check(json)
  if (typeof json['success'] === 'boolean' && Array.isArray(json['anomalies'])) return anomalies(json)
  if (typeof json['rows'] === 'number' && Array.isArray(json['columns'])) return profile(json)
  return undefined
}

function check(json: Json): CheckReport {
  return {
    kind: 'check',
    schema: false,
    success: json['success'] === true,
    rows: numberOf(json['rows']) ?? 0,
    notJudged: textOf(json['not_judged']),
    misread: misreadOf(json['findings']),
    results: objects(json['results']).map((r) => ({
      column: textOf(r['column']),
      statement: textOf(r['statement']) || textOf(r['type']),
      success: r['success'] === true,
      error: textOf(r['error']),
      observed: textOf(r['observed']),
      elements: numberOf(r['elements']),
      missing: numberOf(r['missing']),
      unexpected: numberOf(r['unexpected']),
      examples: objects(r['examples']).map((e) => ({ row: numberOf(e['row']) ?? 0, value: textOf(e['value']) })),
    })),
  }
}

function anomalies(json: Json): CheckReport {
  const results = objects(json['anomalies']).map((a) => ({ column: textOf(a['feature']), statement: textOf(a['type']), success: false, error: '', observed: textOf(a['description']), elements: undefined, missing: undefined, unexpected: undefined, examples: [] }))
  return { kind: 'check', schema: true, success: json['success'] === true, rows: numberOf(json['rows']) ?? 0, notJudged: textOf(json['not_judged']), results, misread: misreadOf(json['findings']) }
}

function side(v: unknown): Side {
  const s = isObject(v) ? v : {}
  return { missing: numberOf(s['missing']), distinct: numberOf(s['distinct']), mean: numberOf(s['mean']), sd: numberOf(s['sd']) }
}

function drift(json: Json): DriftReport {
  return {
    kind: 'drift',
    drifted: json['dataset_drift'] === true,
    driftedColumns: numberOf(json['drifted_columns']) ?? 0,
    compared: numberOf(json['compared_columns']) ?? 0,
    share: numberOf(json['share_of_drifted_columns']) ?? 0,
    limit: numberOf(json['share_limit']) ?? 0,
    referenceRows: numberOf(json['reference_rows']) ?? 0,
    currentRows: numberOf(json['current_rows']) ?? 0,
    season: textOf(json['season']),
    notJudged: textOf(json['not_judged']),
    findings: objects(json['findings']).map((f) => ({ column: textOf(f['column']), what: textOf(f['text']) })),
    referenceMisread: misreadOf(json['reference_findings']),
    currentMisread: misreadOf(json['current_findings']),
    columns: objects(json['columns']).map((c) => {
      const bins = isObject(c['distribution']) ? { reference: numbersOf(c['distribution']['reference']), current: numbersOf(c['distribution']['current']) } : undefined
      return {
        name: textOf(c['name']),
        role: textOf(c['role']),
        kind: textOf(c['kind']),
        method: textOf(c['method_label']) || textOf(c['method']),
        score: numberOf(c['score']),
        scoreIs: textOf(c['score_is']),
        threshold: numberOf(c['threshold']) ?? 0,
        drifted: c['drifted'] === true,
        effect: numberOf(c['effect']),
        importance: numberOf(c['importance']),
        reference: side(c['reference']),
        current: side(c['current']),
        bins,
        note: textOf(c['note']),
      }
    }),
  }
}

/** A profile as far as the view relies on it: the fields that it has without asking. */
function profile(json: Json): ProfileReport | undefined {
  const columns = objects(json['columns'])
  const whole = columns.every((c) => typeof c['name'] === 'string' && typeof c['type'] === 'string' && ['count', 'nulls', 'distinct'].every((k) => typeof c[k] === 'number') && (c['histogram'] === undefined || (isObject(c['histogram']) && Array.isArray(c['histogram']['counts']))))
  if (!whole || columns.length === 0) return undefined
  return { kind: 'profile', profile: { ...json, columns } as unknown as Profile }
}
