// Endpoints and rollouts in words.
import type { Endpoint, EndpointSettings, EndpointVersion, InferenceGraph, LoggedRequest, NamedValue, QualityWindow, RolloutEvidence, RolloutPlan, RolloutRecord, RolloutReport, State, TrafficPlan } from '../api/types'
import { number, valueLine } from '../format/value'

/** A state that all pages know, and the word for this one. */
export interface Sign {
  state: State
  word: string
}

export function endpointSign(state: Endpoint['state']): Sign {
  switch (state) {
    case 'READY':
      return { state: 'SUCCEEDED', word: 'Ready' }
    case 'UPDATING':
      return { state: 'RUNNING', word: 'Updating' }
    case 'LOADING':
      return { state: 'RUNNING', word: 'Loading' }
    case 'FAILED':
      return { state: 'FAILED', word: 'Failed' }
    case 'PAUSED':
      return { state: 'PENDING', word: 'Paused' }
  }
}

export function versionSign(state: EndpointVersion['state']): Sign {
  switch (state) {
    case 'READY':
      return { state: 'SUCCEEDED', word: 'Ready' }
    case 'BUILDING':
      return { state: 'RUNNING', word: 'Building' }
    case 'LOADING':
      return { state: 'RUNNING', word: 'Loading' }
    case 'FAILED':
      return { state: 'FAILED', word: 'Failed' }
    case 'IDLE':
      return { state: 'PENDING', word: 'Idle' }
    case 'DRAINING':
      return { state: 'CANCELING', word: 'Draining' }
  }
}

export function rolloutSign(r: Pick<RolloutRecord, 'outcome'>, paused = false): Sign {
  switch (r.outcome) {
    case 'promoted':
      return { state: 'SUCCEEDED', word: 'Promoted' }
    case 'rolled_back':
      return { state: 'FAILED', word: 'Rolled back' }
    case 'kept':
      return { state: 'SKIPPED', word: 'Baseline kept' }
    case 'aborted':
      return { state: 'CANCELED', word: 'Aborted' }
    case 'invalid':
      return { state: 'FAILED', word: 'Invalid' }
  }
  return paused ? { state: 'PENDING', word: 'Paused' } : { state: 'RUNNING', word: 'Going on' }
}

/** How a rollout ended and why, in a sentence; "Rolled back because" comes first where it did harm. */
export function verdictWords(r: Pick<RolloutRecord, 'outcome' | 'reason'>): string {
  const reason = r.reason ?? ''
  switch (r.outcome) {
    case 'promoted':
      return `Promoted: ${reason}.`
    case 'rolled_back':
      return `Rolled back because ${reason}.`
    case 'kept':
      return `The baseline stays: ${reason}.`
    case 'aborted':
      return `Stopped by a person: ${reason}.`
    case 'invalid':
      return `Nothing can be concluded: ${reason}.`
  }
  return ''
}

/** What several versions of an endpoint are together. */
export function totals(e: Endpoint) {
  const sum = (of: (v: EndpointVersion) => number) => e.versions.reduce((n, v) => n + of(v), 0)
  const seen = (v: EndpointVersion) => Object.values(v.requests).reduce((n, k) => n + k, 0)
  const requests = sum(seen)
  return {
    rate: sum((v) => v.rate),
    waiting: sum((v) => v.waiting),
    workers: sum((v) => v.workers),
    memory: sum((v) => v.memory_bytes),
    requests,
    errorShare: requests > 0 ? sum((v) => v.error_share * seen(v)) / requests : 0,
    p50: Math.max(0, ...e.versions.filter((v) => v.percent > 0).map((v) => v.p50_ms)),
    p99: Math.max(0, ...e.versions.filter((v) => v.percent > 0).map((v) => v.p99_ms)),
  }
}

export const percent = (share: number) => share < 1e-9 ? '0 %' : `${number(Number((share * 100).toPrecision(3)))} %`

export const milliseconds = (ms: number) => (ms > 0 ? `${number(Number(ms.toPrecision(3)))} ms` : '–')

export const perSecond = (rate: number) => `${number(Number(rate.toPrecision(3)))} /s`

/** The name of a version: numbers are those of the registry, other names those of other servers. */
export const versionName = (version: string, before = 'Version ') => (/^\d+$/.test(version) ? before + version : version)

/** The address of the page of a graph. */
export const graphPath = (name: string) => `/graphs/${encodeURIComponent(name)}`

/** The endpoints and graphs that a graph asks, each once, in the order of their names. */
export function askedBy(g: InferenceGraph): string[] {
  const steps = Object.values((g.active ?? g.spec).nodes).flatMap((node) => node.steps)
  return [...new Set(steps.flatMap((step) => (step.endpoint ? [step.endpoint] : [])))].toSorted()
}

/** A plan of traffic, a sentence for each part in the order in which they are tried. */
export function trafficWords(t: TrafficPlan): string[] {
  const out = (t.rules ?? []).map((r) => {
    const when: string[] = []
    if (r.header) when.push(r.values ? `header ${r.header} is ${r.values.join(' or ')}` : r.prefix ? `header ${r.header} begins with ${r.prefix}` : `header ${r.header} is there`)
    if (r.keys) when.push(`the key is ${r.keys.length > 3 ? `one of ${r.keys.length}` : r.keys.join(' or ')}`)
    if (r.percent) when.push(`the key is among ${r.percent} % of all`)
    return `${r.name || 'A rule'}: where ${when.join(' and ')}, ${versionName(r.version, 'version ')} answers.`
  })
  const shared = t.split.filter((s) => s.percent > 0)
  const only = shared.length === 1 ? shared[0] : undefined
  const rest = out.length > 0 ? 'of the others' : 'of the requests'
  out.push(only ? `${versionName(only.version)} answers ${out.length > 0 ? 'all others' : 'all requests'}.` : `${shared.map((s) => `${versionName(s.version)} answers ${number(s.percent)} %`).join(', ')} ${rest}.`)
  if (t.sticky) out.push(`Requests with the same key (header ${t.key_header || 'X-Levada-Key'}) keep their version.`)
  for (const s of t.shadows ?? []) out.push(`${versionName(s.version)} sees copies of ${number(s.percent)} % of the requests.`)
  return out
}

/** One stage of a plan, as a step that is to come, goes on or is over. */
export interface PlanStep {
  name: string
  detail: string
  phase: string
  step: number
}

/** A duration as a person writes it: "1m" where the server says "1m0s". */
export const duration = (text: string) => text.replace(/(\d[hm])0m/, '$1').replace(/(\d[hm])0s$/, '$1')

/** The stages of a plan in their order. */
export function planSteps(p: RolloutPlan): PlanStep[] {
  const out: PlanStep[] = []
  if (p.shadow) out.push({ name: 'Shadow', detail: `${number(p.shadow.percent ?? 100)} % copied, ${duration(p.shadow.wait ?? '1m')}`, phase: 'shadow', step: 0 })
  for (const [step, s] of (p.canary?.steps ?? []).entries()) out.push({ name: `Canary ${number(s.percent)} %`, detail: duration(s.wait ?? '1m'), phase: 'canary', step })
  if (p.experiment) out.push({ name: 'A/B test', detail: `${number(p.experiment.percent ?? 50)} %, by ${p.experiment.decide.map((d) => d.metric).join(', ')}`, phase: 'experiment', step: 0 })
  if (p.bandit) out.push({ name: 'Bandit', detail: `by ${p.bandit.reward}`, phase: 'bandit', step: 0 })
  if (p.watch) out.push({ name: 'Watch', detail: duration(p.watch.duration ?? '1h'), phase: 'watch', step: 0 })
  return out
}

export type Progress = 'done' | 'now' | 'failed' | 'coming'

/** How far a rollout is with a step of its plan. */
export function progressOf(step: PlanStep, r: RolloutReport): Progress {
  const same = (s: { phase: string; step: number }) => s.phase === step.phase && (step.phase === 'watch' || s.step === step.step)
  const last = r.stages.at(-1)
  const seen = r.stages.some((s) => same(s.stage))
  if (!seen) return 'coming'
  if (!last || !same(last.stage)) return 'done'
  if (!r.outcome) return 'now'
  return r.outcome === 'promoted' ? 'done' : 'failed'
}

export const verdictSign = (verdict: string): Sign => {
  switch (verdict) {
    case 'pass':
      return { state: 'SUCCEEDED', word: 'Pass' }
    case 'fail':
      return { state: 'FAILED', word: 'Fail' }
    case 'no_data':
      return { state: 'PENDING', word: 'Too little data' }
  }
  return { state: 'CANCELED', word: 'Inconclusive' }
}

/** The names of the tests, as docs/canary.md describes them. */
const tests: Record<string, string> = {
  newcombe: "Newcombe's interval",
  welch: "Welch's interval",
  mann_whitney: 'Mann-Whitney',
  psi: 'stability index',
  wilson: "Wilson's interval",
  student: "Student's interval",
  mixture_sprt: 'mixture SPRT',
  binomial_sequence: 'sequential binomial',
  rate_ratio_sequence: 'sequential rate ratio',
  sign_sequence: 'sequential sign',
  psi_at_doublings: 'stability index at doublings',
  thompson: 'Thompson sampling',
}

export const testWords = (test: string) => tests[test] ?? test.replaceAll('_', ' ')

const units: Record<string, string> = {
  share: 'difference of shares',
  relative: 'relative to the baseline',
  psi: 'stability index',
  ratio: 'ratio of rates, 1 is no harm',
  windows: 'share of windows that were worse, 0.5 is no harm',
  value: 'in the unit of the metric',
}

export const unitWords = (unit: string | undefined) => units[unit ?? ''] ?? ''

/** What no harm is, in the unit of an effect. */
export const noHarm = (unit: string | undefined) => (unit === 'ratio' ? 1 : unit === 'windows' ? 0.5 : 0)

/** The effect with its interval: "0.012 (0.004 to 0.02)". */
export function effectWords(e: Pick<RolloutEvidence, 'estimate' | 'low' | 'high'>): string {
  if (e.estimate === undefined) return ''
  const show = (v: number | undefined, otherwise: string) => (v === undefined ? otherwise : number(Number(v.toPrecision(3))))
  return `${show(e.estimate, '')} (${show(e.low, '−∞')} to ${show(e.high, '∞')})`
}

/** The shares of a split as numbers; what is wrong with them as a text. */
export function readShares(texts: Readonly<Record<string, string>>): { shares: Record<string, number>; wrong?: string } {
  const shares: Record<string, number> = {}
  for (const [version, text] of Object.entries(texts)) {
    const n = text.trim() === '' ? 0 : Number(text)
    if (!Number.isFinite(n) || n < 0 || n > 100) return { shares, wrong: `The share of version ${version} is a number from 0 to 100.` }
    shares[version] = n
  }
  const sum = Object.values(shares).reduce((a, b) => a + b, 0)
  return Math.abs(sum - 100) > 0.01 ? { shares, wrong: `The shares add up to ${number(Number(sum.toPrecision(6)))} %, not to 100 %.` } : { shares }
}

export function requestSign(status: LoggedRequest['status']): Sign {
  switch (status) {
    case 'ok':
      return { state: 'SUCCEEDED', word: 'ok' }
    case 'rejected':
      return { state: 'CANCELED', word: 'rejected' }
    case 'shed':
      return { state: 'CANCELED', word: 'shed' }
    case 'timeout':
      return { state: 'FAILED', word: 'timeout' }
    case 'failed':
      return { state: 'FAILED', word: 'failed' }
  }
}

/** Values on one line, as far as they are looked at in a list. */
export function valuesLine(list: readonly NamedValue[]): string {
  const shown = list.slice(0, 12).map((v) => `${v.name}=${valueLine(v.value).slice(0, 60)}`)
  return [...shown, ...(list.length > shown.length ? [`and ${list.length - shown.length} more`] : [])].join('  ')
}

export const truthWords = (r: LoggedRequest) => (r.truth ? valueLine(r.truth.actual) : undefined)

/** What an endpoint logs, in a sentence. */
export function sentence(log: NonNullable<EndpointSettings['log']>): string {
  const parts = [(log.sample ?? 0) >= 1 ? 'Every request is logged with its answer' : `${percent(log.sample ?? 0)} of the requests are logged with their answers`]
  if (log.drop?.length) parts.push(`without ${log.drop.join(', ')}`)
  parts.push(log.keep_pii ? 'with columns that look like personal data' : 'without columns that look like personal data')
  parts.push(`for ${number(log.keep_days || 30)} days and up to ${number(log.keep_mb || 1024)} MiB`)
  return `${parts.join(', ')}.${log.prediction ? ` The truth is compared with the output ${log.prediction}.` : ''}`
}

const anHour = 3_600_000

/** The times that requests are listed of. */
export const spans = [
  { id: '1h', words: 'the last hour', ms: anHour },
  { id: '24h', words: 'the last 24 hours', ms: 24 * anHour },
  { id: '7d', words: 'the last 7 days', ms: 168 * anHour },
] as const

/** The times that quality is measured over, with how long a measurement may be. */
export const qualitySpans = [
  { id: '7d', words: 'the last 7 days', ms: 168 * anHour, windows: ['6h', '1h', '24h'] },
  { id: '24h', words: 'the last 24 hours', ms: 24 * anHour, windows: ['1h', '10m', '6h'] },
  { id: '30d', words: 'the last 30 days', ms: 720 * anHour, windows: ['24h', '6h', '168h'] },
] as const

const metricNames: Record<string, string> = { f1: 'F1', f1_macro: 'F1, macro', auc: 'AUC', mae: 'MAE', rmse: 'RMSE' }

export const metricWords = (name: string) => metricNames[name] ?? name.replaceAll('_', ' ')

/** A measurement with its interval: "0.91 (0.88 to 0.93)". */
export function measured(m: QualityWindow['metrics'][number] | undefined): string {
  if (!m) return '–'
  const show = (v: number) => number(Number(v.toPrecision(4)))
  return m.low === undefined || m.high === undefined ? show(m.value) : `${show(m.value)} (${show(m.low)} to ${show(m.high)})`
}
