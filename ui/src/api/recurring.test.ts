import { expect, test } from 'vitest'
import { pause } from './recurring'
import type { RecurringRun } from './types'

const now = Date.parse('2026-06-15T12:00:00Z')
const due = (seconds: number) => ({ next_at: new Date(now + seconds * 1000).toISOString() }) as RecurringRun
const paused = {} as RecurringRun

test.each([
  ['nothing is due', [paused], 15_000],
  ['the next is far away', [due(3600)], 15_000],
  ['one of them is due soon', [due(3600), due(6), paused], 6500],
  ['one is due each second', [due(0.5)], 2000],
  ['one waits for a run that is active', [due(-60)], 2000],
])('the list is asked for again when %s', (_, list, want) => {
  expect(pause(list, now)).toBe(want)
})
