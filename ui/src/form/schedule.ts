// What is typed into the fields of a schedule, and what it stands for.
import type { CreateRecurring, Trigger } from '../api/types'
import { isZone, momentIn } from '../format/zone'

export const units = { seconds: 1, minutes: 60, hours: 3600, days: 86_400, weeks: 604_800 } as const

export type Unit = keyof typeof units

export interface ScheduleFields {
  by: 'cron' | 'interval' | 'once'
  cron: string
  every: string
  unit: Unit
  /** The time of the only run, as clocks in the zone show it; so are start and end. */
  at: string
  zone: string
  start: string
  end: string
  catchUp: boolean
  atOnce: string
  policy: NonNullable<CreateRecurring['concurrency_policy']>
  /** How late a run may start; empty for any time. */
  deadline: string
  deadlineUnit: Unit
}

export const firstSchedule: ScheduleFields = {
  by: 'cron', cron: '0 0 6 * * *', every: '1', unit: 'hours', at: '', zone: 'UTC', start: '', end: '', catchUp: false, atOnce: '1', policy: 'queue', deadline: '', deadlineUnit: 'minutes',
}

/** Schedules to begin with. */
export const presets = [
  ['every hour', '0 0 * * * *'],
  ['every day at 06:00', '0 0 6 * * *'],
  ['weekdays at 06:00', '0 0 6 * * MON-FRI'],
  ['Mondays at 06:00', '0 0 6 * * MON'],
  ['the 1st of each month', '0 0 6 1 * *'],
] as const

export const policies = [
  ['queue', 'let the next one wait'],
  ['skip', 'leave the next one out'],
  ['replace', 'cancel them and start the next one'],
] as const

export type TriggerRead = { trigger: Trigger } | { error: string }

/** The trigger that the fields stand for. Whether a cron expression is right only the server knows. */
export function readTrigger(fields: ScheduleFields): TriggerRead {
  const zone = fields.zone.trim()
  if (zone !== '' && !isZone(zone)) return { error: `There is no time zone “${zone}”; choose one such as Europe/Lisbon.` }
  const when = readWhen(fields, zone || 'UTC')
  if ('error' in when) return when
  const bounds: Pick<Trigger, 'start' | 'end'> = {}
  for (const key of fields.by === 'once' ? [] : (['start', 'end'] as const)) {
    if (fields[key] === '') continue
    const moment = momentIn(fields[key], zone || 'UTC')
    if (moment === undefined) return { error: `The ${key} is no whole date and time.` }
    bounds[key] = moment
  }
  if (bounds.start && bounds.end && Date.parse(bounds.end) < Date.parse(bounds.start)) return { error: 'The end is before the start.' }
  return { trigger: { ...when.trigger, ...(zone === '' || zone === 'UTC' ? {} : { time_zone: zone }), ...bounds } }
}

function readWhen({ by, cron, every, unit, at }: ScheduleFields, zone: string): TriggerRead {
  if (by === 'cron') return cron.trim() === '' ? { error: 'A cron expression is needed.' } : { trigger: { cron: cron.trim() } }
  if (by === 'once') {
    const moment = momentIn(at, zone)
    return moment === undefined ? { error: 'A date and a time are needed.' } : { trigger: { at: moment } }
  }
  const n = readWhole(every)
  return n < 1 ? { error: 'A whole number of at least 1 is needed.' } : { trigger: { interval_seconds: n * units[unit] } }
}

function readWhole(text: string): number {
  return /^\d+$/.test(text.trim()) ? Number(text) : 0
}

/** How many runs may be active at once, or undefined when the text says no such number. */
export function readAtOnce(text: string): number | undefined {
  const n = readWhole(text)
  return n >= 1 && n <= 10 ? n : undefined
}

/** How late a run may start, in seconds: 0 for any time, undefined when the text says no such number. */
export function readDeadline({ deadline, deadlineUnit }: ScheduleFields): number | undefined {
  if (deadline.trim() === '') return 0
  const n = readWhole(deadline) * units[deadlineUnit]
  return n > 0 && n <= 365 * 86_400 ? n : undefined
}
