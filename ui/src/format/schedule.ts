// The schedule of a recurring run as people read it.
import type { Trigger } from '../api/types'
import { duration } from './time'
import { isZone, minuteIn } from './zone'

const units = [
  [604_800, 'week'],
  [86_400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
] as const

const descriptors: Record<string, string> = {
  '@yearly': '0 0 0 1 1 *',
  '@annually': '0 0 0 1 1 *',
  '@monthly': '0 0 0 1 * *',
  '@weekly': '0 0 0 * * 0',
  '@daily': '0 0 0 * * *',
  '@midnight': '0 0 0 * * *',
  '@hourly': '0 0 * * * *',
}

const periods: Record<string, string> = { '@yearly': 'every year', '@annually': 'every year', '@monthly': 'every month', '@weekly': 'every week' }

/** The time zone that a trigger is meant in; cron expressions of KFP name it in front. */
export function zoneOf({ time_zone, cron }: Trigger): string {
  return time_zone || /^(?:CRON_)?TZ=(\S+)/.exec(cron?.trim() ?? '')?.[1] || 'UTC'
}

/** "every hour", "every day at 02:30 UTC", "every day at 06:00 (Europe/Lisbon)"; a cron expression that has no short name as it is. */
export function when(trigger: Trigger): string {
  const zone = zoneOf(trigger)
  const cron = (trigger.cron?.trim() ?? '').replace(/^(?:CRON_)?TZ=\S+\s*/, '')
  if (trigger.at) return `once, ${minuteIn(trigger.at, isZone(zone) ? zone : 'UTC')}${zone === 'UTC' || !isZone(zone) ? ' UTC' : ` (${zone})`}`
  if (cron === '') return every(trigger.interval_seconds ?? 0)
  if (cron.startsWith('@every ')) return cron.slice(1)
  const period = periods[cron]
  if (period) return zone === 'UTC' ? period : `${period} (${zone})`
  const words = daily(descriptors[cron] ?? cron)
  if (words === undefined) return `${cron} (${zone})`
  if (!words.includes(' at ')) return words // hours are the same everywhere, nearly
  return words.includes('*') ? words : words + (zone === 'UTC' ? ' UTC' : ` (${zone})`)
}

function every(seconds: number): string {
  const [size, name] = units.find(([unit]) => seconds % unit === 0) ?? [1, 'second']
  const n = seconds / size
  if (n === 1) return `every ${name}`
  // "every 90 minutes" is harder to read than "every 1 h 30 min".
  return n > 60 ? `every ${duration(seconds * 1000)}` : `every ${n} ${name}s`
}

const weekdays: Record<string, string> = { 'MON-FRI': 'weekdays', '1-5': 'weekdays' }
for (const [i, name] of ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'].entries()) {
  weekdays[String(i)] = `${name}s`
  weekdays[name.slice(0, 3).toUpperCase()] = `${name}s`
}

/** The words for an expression that is due at one time of each day, of some weekdays or of each hour. The fields begin with the second; the last may be left out. */
function daily(cron: string): string | undefined {
  const [second = '', minute = '', hour = '', ...days] = cron.split(/\s+/)
  const number = /^\d{1,2}$/
  const star = (d: string | undefined) => d === undefined || d === '*' || d === '?'
  if (days.length < 2 || days.length > 3 || !star(days[0]) || !star(days[1])) return undefined
  if (!number.test(second) || !number.test(minute)) return undefined
  const on = star(days[2]) ? 'every day' : weekdays[days[2]?.toUpperCase() ?? '']
  if (on === undefined) return undefined
  const tail = Number(second) === 0 ? '' : `:${second.padStart(2, '0')}`
  if (number.test(hour)) return `${on} at ${hour.padStart(2, '0')}:${minute.padStart(2, '0')}${tail}`
  if ((hour !== '*' && hour !== '?') || on !== 'every day') return undefined
  return Number(minute) === 0 && tail === '' ? 'every hour' : `every hour at *:${minute.padStart(2, '0')}${tail}`
}
