// Triggers as people read them: what they listen to, what they do, what came of an event, and what is waited for.
import type { EventSource, EventTrigger, Firing, Outlook } from '../api/types'
import { duration } from '../format/time'
import { count, number } from '../format/value'
import type { IconName } from '../parts/icons'

export type SourceKind = keyof EventSource

export function kindOf(on: EventSource): SourceKind {
  return (Object.keys(on) as SourceKind[]).find((k) => on[k] !== undefined) ?? 'webhook'
}

const seconds = (n: number) => duration(n * 1000)

/** What a trigger listens to: "new or changed files at /data/*.csv". */
export function sourceWords(on: EventSource): string {
  if (on.file) return `new or changed files at ${on.file.path}`
  if (on.artifact) {
    const { name, type, pipeline } = on.artifact
    return `${name ? `artifacts “${name}”` : 'artifacts'}${type ? ` of type ${type}` : ''}${pipeline ? ` made by ${pipeline}` : ''}`
  }
  if (on.registry) {
    const { model, changes, alias, stage } = on.registry
    const what = changes && changes.length > 0 ? changes.map((c) => c.replaceAll('_', ' ')).join(', ') : 'changes'
    return `${what} of ${model ? `model ${model}` : 'registered models'}${alias ? `, alias ${alias}` : ''}${stage ? `, to stage ${stage}` : ''}`
  }
  if (on.run) {
    const states = on.run.states && on.run.states.length > 0 ? on.run.states : ['SUCCEEDED']
    return `runs of ${on.run.pipeline || 'any pipeline'} that end ${states.map((s) => s.toLowerCase()).join(' or ')}`
  }
  if (on.metric) {
    const { metric, experiment, above, below } = on.metric
    return `${metric} of experiment ${experiment} ${above === undefined ? `below ${number(below ?? 0)}` : `above ${number(above)}`}`
  }
  if (on.late) return `runs of ${on.late.pipeline || 'any pipeline'} that have not ended after ${seconds(on.late.seconds)}`
  if (on.webhook) return `requests signed with the secret ${on.webhook.secret}`
  return 'nothing'
}

/** How often a trigger looks for its events, in seconds; undefined for one that is told of them. */
export function pollOf(on: EventSource): number | undefined {
  const looked = on.file ?? on.metric ?? on.late
  return looked && (looked.poll_seconds || (on.file?.path.startsWith('s3://') ? 60 : 10))
}

/** What a trigger does for an event: runs a pipeline, or tells somebody. */
export function actionWords(t: EventTrigger, pipeline: string | undefined): { icon: IconName; text: string } {
  const n = t.notify
  if (n?.slack) return { icon: 'message', text: `posts to Slack (secret ${n.slack.secret})` }
  if (n?.webhook) return { icon: 'message', text: `posts to ${n.webhook.url}` }
  if (n?.email) return { icon: 'message', text: `writes to ${n.email.to.join(', ')}` }
  return { icon: 'play', text: `runs ${pipeline || 'a pipeline'}` }
}

/** Rules of how many events make how many runs, one line each. */
export function policyWords(t: EventTrigger): string[] {
  const out: string[] = []
  if (t.debounce_seconds) out.push(`waits until nothing more has happened for ${seconds(t.debounce_seconds)}`)
  if (t.batch_seconds) out.push(`gathers what happens within ${seconds(t.batch_seconds)}`)
  if (t.batch_size && t.batch_size > 1) out.push(`gathers up to ${count(t.batch_size, 'event')}`)
  if (t.dedup_key) out.push(`one event counts for each ${t.dedup_key} in ${seconds(t.dedup_seconds || 86_400)}`)
  if (t.max_runs) out.push(`at most ${count(t.max_runs, 'run')} in ${seconds(t.max_runs_seconds || 3600)}`)
  if (t.max_concurrency) out.push(`at most ${count(t.max_concurrency, 'run')} at once`)
  return out
}

export interface Outcome {
  icon: IconName
  word: string
  tone: 'good' | 'bad' | 'soft' | 'going'
}

const outcomes: Record<Firing['state'], Outcome> = {
  WAITING: { icon: 'pending', word: 'Waiting', tone: 'going' },
  STARTING: { icon: 'running', word: 'Starting', tone: 'going' },
  STARTED: { icon: 'succeeded', word: 'Fired', tone: 'good' },
  SENT: { icon: 'succeeded', word: 'Sent', tone: 'good' },
  IGNORED: { icon: 'skipped', word: 'Ignored', tone: 'soft' },
  FAILED: { icon: 'failed', word: 'Failed', tone: 'bad' },
}

export const firingStates = Object.keys(outcomes) as Firing['state'][]

export function outcomeOf(state: Firing['state']): Outcome {
  return outcomes[state]
}

/** An event in one line: the file, the artifact, the run that it is about. */
export function eventWords(f: Firing): string {
  const data = f.event.data ?? {}
  const text = (key: string) => (typeof data[key] === 'string' ? (data[key] as string) : '')
  switch (f.event.kind) {
    case 'file':
      return `${text('path')} ${text('change')}`
    case 'artifact':
      return `${text('name')} made by ${text('pipeline')}`
    case 'registry':
      return `${text('change').replaceAll('_', ' ')} of ${text('model')}${text('alias') ? `, ${text('alias')}` : ''}`
    case 'run':
      return `${text('name')}: ${text('state').toLowerCase()}`
    case 'metric':
      return `${text('metric')} is ${typeof data.value === 'number' ? number(data.value) : '?'}`
    case 'late':
      return `${text('name')} has not ended`
    case 'webhook':
      return `request ${text('delivery_id')}`
    default:
      return 'fired by hand'
  }
}

/** What the events that wait wait for; at, where it is a question of time, is when that is over. */
export function waitWords(o: Outlook, t: EventTrigger): string | undefined {
  if (o.waiting === 0) return undefined
  const few = `${count(o.waiting, 'event')} ${o.waiting === 1 ? 'waits' : 'wait'}`
  const what = t.notify ? 'a message is sent' : 'a run starts'
  switch (o.hold) {
    case 'quiet':
      return `${few} until nothing more has happened for ${seconds(t.debounce_seconds ?? 0)}; ${what}`
    case 'more':
      return o.next_at ? `${few} for more; ${what}` : `${few} until there are ${t.batch_size}`
    case 'rate':
      return `${few}: ${count(t.max_runs ?? 0, 'run')} started in the last ${seconds(t.max_runs_seconds || 3600)}; the next one starts`
    case 'runs':
      return `${few} for one of ${count(o.active, 'active run')} to end`
    case 'paused':
      return `${few} until the trigger is resumed`
    case 'retry':
      return `${few}: the last attempt failed; the next one is`
    default:
      return `${few}; ${what} now`
  }
}

/** When a trigger that looks looks next: the server said a moment, and from there on it looks every so often. */
export function nextLook(at: string | undefined, poll: number | undefined, now: number): string | undefined {
  if (at === undefined || poll === undefined) return undefined
  const then = Date.parse(at)
  const missed = Math.max(0, Math.ceil((now - then) / (poll * 1000)))
  return new Date(then + missed * poll * 1000).toISOString()
}

/** The data of an event to begin with: that of the newest one, or what one of the kind could look like. */
export function exampleData(on: EventSource, newest: Firing | undefined): Record<string, unknown> {
  if (newest?.event.data && Object.keys(newest.event.data).length > 0) return newest.event.data
  const kind = kindOf(on)
  switch (kind) {
    case 'file': {
      const path = (on.file?.path ?? '').replaceAll('*', 'example').replaceAll(/[?[\]]/g, 'x')
      const slash = path.lastIndexOf('/')
      return { path, name: path.slice(slash + 1), stem: path.slice(slash + 1).split('.')[0] ?? '', directory: path.slice(0, slash), size: 1000, change: 'created', digest: `sha256:${'0'.repeat(64)}`, modified: '2026-01-31T12:00:00Z' }
    }
    case 'artifact':
      return { name: on.artifact?.name || 'report', type: on.artifact?.type || 'system.Artifact', pipeline: on.artifact?.pipeline || 'a-pipeline', run_id: 'a-run', task_id: 'a-task', digest: '', uri: '', size: 1000, metadata: {} }
    case 'registry':
      return { change: on.registry?.changes?.[0] ?? 'alias_set', model: on.registry?.model || 'a-model', version: 2, alias: on.registry?.alias || 'champion', before: 1, from: '', to: on.registry?.stage || '' }
    case 'run':
      return { run_id: 'a-run', name: 'a run', state: on.run?.states?.[0] ?? 'SUCCEEDED', pipeline: on.run?.pipeline || 'a-pipeline', seconds: 60, parameters: {} }
    case 'metric': {
      const line = on.metric?.above ?? on.metric?.below ?? 0
      return { run_id: 'a-run', experiment: on.metric?.experiment, metric: on.metric?.metric, value: on.metric?.above === undefined ? line - 1 : line + 1, step: 1, line }
    }
    case 'late':
      return { run_id: 'a-run', name: 'a run', pipeline: on.late?.pipeline || 'a-pipeline', since: '2026-01-31T12:00:00Z', seconds: (on.late?.seconds ?? 0) + 1 }
    case 'webhook':
      return { body: {}, delivery_id: 'd1' }
  }
}

/** Reads what was typed as the data of an event; error says what is wrong. */
export function readData(text: string): { data?: Record<string, unknown>; error?: string } {
  if (text.trim() === '') return { data: {} }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { error: 'It must be a JSON object, such as {"path": "/data/a.csv"}.' }
    return { data: value as Record<string, unknown> }
  } catch (problem) {
    return { error: `It is not JSON: ${problem instanceof Error ? problem.message : String(problem)}` }
  }
}
