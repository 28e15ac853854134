import { describe, expect, it } from 'vitest'
import { ago, ahead, between, duration } from './time'
import { bytes, count, number, shortDigest, typeOf } from './value'

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [412, '412 ms'],
    [1999, '1.9 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [185_000, '3 min 5 s'],
    [7_800_000, '2 h 10 min'],
    [90_000_000, '1 d 1 h'],
    [-1, '–'],
    [NaN, '–'],
  ])('writes %d ms as %s', (ms, want) => expect(duration(ms)).toBe(want))
})

describe('between', () => {
  it('counts to now while there is no end, and never below zero', () => {
    const start = '2026-01-01T00:00:00Z'
    expect(between(start, undefined, Date.parse(start) + 5000)).toBe(5000)
    expect(between(start, undefined, Date.parse(start) - 5000)).toBe(0)
    expect(between(start, '2026-01-01T00:00:02Z', 0)).toBe(2000)
    expect(between(undefined, undefined, 0)).toBeUndefined()
  })
})

describe('ago', () => {
  const now = Date.parse('2026-06-15T12:00:00Z')
  it.each([
    ['2026-06-15T11:59:55Z', 'just now'],
    ['2026-06-15T12:00:05Z', 'just now'],
    ['2026-06-15T11:59:20Z', '40 s ago'],
    ['2026-06-15T11:15:00Z', '45 min ago'],
    ['2026-06-15T02:00:00Z', '10 h ago'],
    ['2026-06-14T11:00:00Z', 'yesterday'],
    ['2026-06-11T12:00:00Z', '4 d ago'],
    ['2026-03-02T12:00:00Z', '2 Mar'],
    ['2024-03-02T12:00:00Z', '2 Mar 2024'],
  ])('writes %s as %s', (time, want) => expect(ago(time, now)).toBe(want))
})

describe('ahead', () => {
  const now = Date.parse('2026-06-15T12:00:00Z')
  it.each([
    ['2026-06-15T11:00:00Z', 'now'],
    ['2026-06-15T12:00:40Z', 'in 40 s'],
    ['2026-06-15T12:45:59Z', 'in 45 min'],
    ['2026-06-15T22:00:00Z', 'in 10 h'],
    ['2026-06-19T12:00:00Z', 'in 4 d'],
    ['2026-08-02T12:00:00Z', 'on 2 Aug'],
    ['2027-03-02T12:00:00Z', 'on 2 Mar 2027'],
  ])('writes %s as %s', (time, want) => expect(ahead(time, now)).toBe(want))
})

describe('values', () => {
  it('writes sizes with a unit that fits', () => {
    expect([0, 812, 1024, 1_500_000, 300 * 1024, 5e12].map(bytes)).toEqual(['0 B', '812 B', '1.0 KB', '1.4 MB', '300 KB', '4.5 TB'])
  })

  it('writes numbers with no more digits than a person reads', () => {
    expect([3, 12345, 0.123456789, 1e-7, 2.5e12, 0].map(number)).toEqual(['3', '12,345', '0.123457', '1e-7', '2,500,000,000,000', '0'])
  })

  it('shortens digests and keeps their kind', () => {
    expect(shortDigest(`dir-sha256:${'ab'.repeat(32)}`)).toBe('dir-sha256:abababababab…')
    expect(shortDigest('')).toBe('')
  })

  it('names types in the words of the pipeline format', () => {
    expect([null, [], {}, 1, 'a', true].map(typeOf)).toEqual(['null', 'list', 'struct', 'number', 'text', 'boolean'])
  })

  it('counts with a noun', () => {
    expect([count(1, 'task'), count(1200, 'task')]).toEqual(['1 task', '1,200 tasks'])
  })
})
