// What is typed into the fields of a schedule, and the trigger it stands for.
import type { Trigger } from '../api/types'

export const units = { seconds: 1, minutes: 60, hours: 3600, days: 86_400, weeks: 604_800 } as const

export type Unit = keyof typeof units

export interface ScheduleFields {
  by: 'cron' | 'interval'
  cron: string
  every: string
  unit: Unit
  catchUp: boolean
  atOnce: string
}

export const firstSchedule: ScheduleFields = { by: 'cron', cron: '0 0 6 * * *', every: '1', unit: 'hours', catchUp: false, atOnce: '1' }

/** Schedules to begin with. */
export const presets = [
  ['every hour', '0 0 * * * *'],
  ['every day at 06:00', '0 0 6 * * *'],
  ['weekdays at 06:00', '0 0 6 * * MON-FRI'],
  ['Mondays at 06:00', '0 0 6 * * MON'],
  ['the 1st of each month', '0 0 6 1 * *'],
] as const

export type TriggerRead = { trigger: Trigger } | { error: string }

/** The trigger that the fields stand for. Whether a cron expression is right only the server knows. */
export function readTrigger({ by, cron, every, unit }: ScheduleFields): TriggerRead {
  if (by === 'cron') return cron.trim() === '' ? { error: 'A cron expression is needed.' } : { trigger: { cron: cron.trim() } }
  const n = /^\d+$/.test(every.trim()) ? Number(every) : 0
  if (n < 1) return { error: 'A whole number of at least 1 is needed.' }
  return { trigger: { interval_seconds: n * units[unit] } }
}

/** How many runs may be active at once, or undefined when the text says no such number. */
export function readAtOnce(text: string): number | undefined {
  const n = /^\d+$/.test(text.trim()) ? Number(text) : 0
  return n >= 1 && n <= 10 ? n : undefined
}
