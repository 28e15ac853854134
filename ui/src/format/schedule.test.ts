import { describe, expect, it } from 'vitest'
import { when } from './schedule'

describe('when', () => {
  it.each([
    [1, 'every second'],
    [3600, 'every hour'],
    [7200, 'every 2 hours'],
    [1800, 'every 30 minutes'],
    [5400, 'every 1 h 30 min'],
    [86_400, 'every day'],
    [604_800, 'every week'],
    [90, 'every 1 min 30 s'],
  ])('says an interval of %d s in words', (interval_seconds, want) => expect(when({ interval_seconds })).toBe(want))

  it.each([
    ['@hourly', 'every hour'],
    ['@every 90m', 'every 90m'],
    ['0 30 2 * * *', 'every day at 02:30 UTC'],
    ['15 5 23 * *', 'every day at 23:05:15 UTC'],
    ['0 0 * * * *', 'every hour'],
    ['0 30 ? * * ?', 'every hour at *:30'],
    ['30 2 * * *', 'every hour at *:02:30'],
  ])('says %s in words', (cron, want) => expect(when({ cron })).toBe(want))

  it.each([
    [{ cron: '0 0 6 * * *', time_zone: 'Europe/Lisbon' }, 'every day at 06:00 (Europe/Lisbon)'],
    [{ cron: 'CRON_TZ=Europe/Lisbon 0 0 6 * * *' }, 'every day at 06:00 (Europe/Lisbon)'],
    [{ cron: 'TZ=Asia/Tokyo @daily' }, 'every day at 00:00 (Asia/Tokyo)'],
    [{ cron: '0 30 2 * * MON-FRI' }, 'weekdays at 02:30 UTC'],
    [{ cron: '0 0 6 * * 1', time_zone: 'Europe/Lisbon' }, 'Mondays at 06:00 (Europe/Lisbon)'],
    [{ cron: '0 0 * * * *', time_zone: 'Europe/Lisbon' }, 'every hour'],
    [{ cron: '@monthly', time_zone: 'Europe/Lisbon' }, 'every month (Europe/Lisbon)'],
    [{ cron: '0 0 6 1 * *', time_zone: 'Europe/Lisbon' }, '0 0 6 1 * * (Europe/Lisbon)'],
    [{ at: '2026-07-01T05:00:00Z', time_zone: 'Europe/Lisbon' }, 'once, 1 Jul 2026, 06:00 (Europe/Lisbon)'],
  ])('says %o in words', (trigger, want) => expect(when(trigger)).toBe(want))

  it.each(['0 30 2 * * 2-4', '0 */5 * * * *', '0 0 6 1 * *', '0 30 2 1-7'])('leaves %s as it is', (cron) =>
    expect(when({ cron })).toBe(`${cron} (UTC)`),
  )
})
