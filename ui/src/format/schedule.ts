// The schedule of a recurring run as people read it.
import type { Trigger } from '../api/types'
import { duration } from './time'

const units = [
  [604_800, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

const descriptors: Record<string, string> = {
  '@yearly': 'every year',
  '@annually': 'every year',
  '@monthly': 'every month',
  '@weekly': 'every week',
  '@daily': 'every day at 00:00 UTC',
  '@midnight': 'every day at 00:00 UTC',
  '@hourly': 'every hour',
}

/** "every hour", "every day at 02:30 UTC"; a cron expression that has no short name as it is. */
export function when(trigger: Trigger): string {
  const cron = trigger.cron?.trim() ?? ''
  if (cron === '') return every(trigger.interval_seconds ?? 0)
  return descriptors[cron] ?? daily(cron) ?? (cron.startsWith('@every ') ? cron.slice(1) : `${cron} (UTC)`)
}

function every(seconds: number): string {
  const [size, name] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second']
  const n = seconds / size
  if (n === 1) return `every ${name}`
  // "every 90 minutes" is harder to read than "every 1 h 30 min".
  return n > 60 ? `every ${duration(seconds * 1000)}` : `every ${n} ${name}s`
}

/** The words for an expression that is due at one time of each day or hour. The fields begin with the second; the last may be left out. */
function daily(cron: string): string | undefined {
  const [second = '', minute = '', hour = '', ...days] = cron.split(/\s+/)
  const number = /^\d{1,2}$/
  if (days.length < 2 || days.length > 3 || !days.every((d) => d === '*' || d === '?')) return undefined
  if (!number.test(second) || !number.test(minute)) return undefined
  const tail = Number(second) === 0 ? '' : `:${second.padStart(2, '0')}`
  if (number.test(hour)) return `every day at ${hour.padStart(2, '0')}:${minute.padStart(2, '0')}${tail} UTC`
  if (hour !== '*' && hour !== '?') return undefined
  return Number(minute) === 0 && tail === '' ? 'every hour' : `every hour at *:${minute.padStart(2, '0')}${tail}`
}
