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

  it.each(['0 30 2 * * MON-FRI', '0 */5 * * * *', '0 0 6 1 * *', '0 30 2 1-7'])('leaves %s as it is', (cron) =>
    expect(when({ cron })).toBe(`${cron} (UTC)`),
  )
})
