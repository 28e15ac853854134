import { describe, expect, it } from 'vitest'
import type { Usage } from '../api/types'
import { meanProcessors, usageLines } from './usage'

const usage: Usage = { started_at: '2026-01-01T00:00:00Z', seconds: [1, 2, 4], cpu_seconds: [1, 3, 3], memory_bytes: [10, 30, 20], peak_bytes: 30, cpus: 4 }

describe('what a step used', () => {
  it('is told as processors between samples, however far they are apart', () => {
    expect(usageLines(usage)).toEqual({ seconds: [1, 2, 4], processors: [1, 2, 0], memory: [10, 30, 20] })
  })

  it('has a mean over all of the time', () => expect(meanProcessors(usage)).toBe(0.75))

  it('is nothing without samples', () => {
    const none = { ...usage, seconds: [], cpu_seconds: [], memory_bytes: [] }
    expect(usageLines(none).processors).toEqual([])
    expect(meanProcessors(none)).toBe(0)
  })
})
