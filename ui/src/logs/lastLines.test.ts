import { describe, expect, it } from 'vitest'
import type { LogLine } from '../api/types'
import { lastLines } from './lastLines'

const line = (stream: LogLine['stream'], text: string): LogLine => ({ at: '2026-01-01T00:00:00Z', stream, text })

describe('lastLines', () => {
  it('prefers what was printed as errors, and ends with the last words', () => {
    const lines = [line('stderr', 'Traceback'), line('stdout', 'later'), line('stderr', '\u001b[31mValueError: no\u001b[0m'), line('stderr', ''), line('system', 'ended')]
    expect(lastLines(lines, 5)).toEqual(['Traceback', 'ValueError: no'])
    expect(lastLines(lines, 1)).toEqual(['ValueError: no'])
  })

  it('shows what else there is when nothing was printed as an error', () => {
    expect(lastLines([line('stdout', 'a'), line('stderr', ' '), line('stdout', 'b')], 2)).toEqual([' ', 'b'])
    expect(lastLines([], 5)).toEqual([])
  })

  it('cuts a line of a megabyte', () => {
    expect(lastLines([line('stderr', 'x'.repeat(1_000_000))], 1)[0]?.length).toBe(2001)
  })
})
