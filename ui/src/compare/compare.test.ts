import { describe, expect, test } from 'vitest'
import type { TrackedRun } from '../api/types'
import { align, along, beyondZero, ends, inOrder, lookOf, nearest, nearestOf, positive, sameStretch, smooth, stretchFrom, stretchText, within } from '../chart/curve'
import { usualMetrics } from './CurvesView'
import { differences, scaleOf, ticksOf } from './differences'

function run(id: string, params: Record<string, string>, metrics: Record<string, number | undefined> = {}): TrackedRun {
  return {
    id,
    name: id,
    experiment_id: '1',
    status: 'FINISHED',
    start_ms: 0,
    params,
    tags: {},
    metrics: Object.entries(metrics).map(([key, value]) => ({ key, step: 0, time_ms: 0, count: 1, ...(value === undefined ? {} : { value }) })),
  }
}

describe('the part of an axis in an address', () => {
  test.each([
    [{ from: 1200.26, to: 3400.71 }, '1200,3401'],
    [{ from: 0.000123456, to: 0.000987654 }, '0.0001235,0.0009877'],
    [{ from: 1_700_000_000.1234, to: 1_700_000_060.9876 }, '1700000000.12,1700000060.99'],
    [{ from: -5, to: 1e9 }, '-5,1000000000'],
  ])('%j is %s, and found again', (stretch, text) => {
    expect(stretchText(stretch)).toBe(text)
    expect(sameStretch(stretchFrom(text), stretch)).toBe(true)
  })

  test.each([null, '', '1', '1,', '2,1', '1,1', '1,2,3', 'a,b', '1,Infinity'])('%j is none', (text) => expect(stretchFrom(text)).toBeUndefined())

  test('a part is not the whole', () => {
    expect(sameStretch(undefined, { from: 0, to: 1 })).toBe(false)
    expect(sameStretch(undefined, undefined)).toBe(true)
  })
})

describe('curves', () => {
  test('smoothing is exact for constants from the first point on, and keeps gaps', () => {
    expect(smooth([2, 2, null, 2], 0.9).map((v) => v && Number(v.toFixed(9)))).toEqual([2, 2, null, 2])
    expect(smooth([1, 3], 0)).toEqual([1, 3])
    const [first, second] = smooth([0, 1], 0.5)
    expect(first).toBe(0)
    expect(second).toBeCloseTo(2 / 3)
  })

  test('many lines are found by their own points', () => {
    const line = (xs: number[], ys: (number | null)[]) => ({ id: 'a', label: 'a', look: 0, xs, ys })
    const lines = [line([1, 5, 9], [3, null, 7]), line([], []), line([0], [-2])]
    expect(ends(lines)).toEqual([[0, 9], [1, 1], [1, 1], [1, 1]])
    expect(ends([line([], [])])).toEqual([[], []])
    expect([0, 4, 6, 20].map((x) => nearestOf(lines[0] as never, x))).toEqual([0, 0, 2, 2])
    expect(nearestOf(line([1], [null]), 1)).toBeUndefined()
    expect(within(lines, 0.5, 8)).toEqual([3, 3])
    expect(within(lines, -Infinity, Infinity)).toEqual([-2, 7])
    const [low, high] = within(lines, 10, 20)
    expect(low).toBeGreaterThan(high)
  })

  test('a logarithm leaves out what is not above zero', () => {
    expect(positive([1, 0, -2, null, 3])).toEqual([1, null, null, null, 3])
    expect(beyondZero([-1, 0, 2, 5], [7, 8, 9, null])).toEqual({ xs: [2, 5], ys: [9, null] })
  })

  test('lines with steps of their own get one axis', () => {
    const line = (id: string, xs: number[], ys: (number | null)[]) => ({ id, label: id, look: 0, xs, ys })
    expect(align([line('a', [0, 2], [1, 2]), line('b', [1, 2], [3, null])])).toEqual([
      [0, 1, 2],
      [1, undefined, 2],
      [undefined, 3, null],
    ])
  })

  test('times are put in order, also when a later step was logged earlier', () => {
    const curve = { run_id: 'a', key: 'm', steps: [1, 2], time_ms: [5000, 3000], values: [10, 20], total: 2 }
    expect(inOrder(along(curve, 'time', 1000), curve.values)).toEqual({ xs: [2, 4], ys: [20, 10] })
    expect(along(curve, 'wall', 0)).toEqual([5, 3])
  })

  test('the cursor finds the nearest value of a line', () => {
    expect(nearest([1, undefined, undefined, 2], 2)).toBe(3)
    expect(nearest([null, undefined], 0)).toBeNull()
  })

  test('a hundred lines: colours come again with other dashes', () => {
    expect(lookOf(0).token).toBe(lookOf(8).token)
    expect(lookOf(0).dash).not.toEqual(lookOf(8).dash)
    expect(lookOf(99).token).toMatch(/^var\(--series-[1-8]\)$/)
  })

  test('the metrics shown first are those that most runs have', () => {
    expect(usualMetrics([run('a', {}, { x: 1, y: 1 }), run('b', {}, { y: 1 })], 1)).toEqual(['y'])
  })
})

describe('differences', () => {
  test('a logarithmic axis goes by orders of magnitude, and only above zero', () => {
    const log = scaleOf(['0.001', '0.1', '0.01'], true)
    expect([log.log, log.place('0.01')?.toFixed(3)]).toEqual([true, '0.500'])
    expect(ticksOf(log).map((t) => t.text)).toEqual(['0.001', '0.00316', '0.01', '0.0316', '0.1'])
    expect(scaleOf(['0', '1'], true).log).toBe(false)
    expect(scaleOf(['adam', '1'], true).log).toBe(false)
  })

  test('a value that one run lacks differs, and two that are no numbers do not', () => {
    const runs = [run('a', { lr: '1', same: 's' }, { nan: undefined }), run('b', { same: 's' }, { nan: undefined })]
    expect(differences(runs, 'params').map((d) => [d.key, d.differs])).toEqual([
      ['lr', true],
      ['same', false],
    ])
    expect(differences(runs, 'metrics')[0]?.differs).toBe(false)
  })

  test('an axis is by size only when all values are numbers', () => {
    const sizes = scaleOf(['0.1', '0.3', undefined])
    expect([sizes.numeric, sizes.place('0.2')?.toFixed(3), sizes.place(undefined)]).toEqual([true, '0.500', undefined])
    const texts = scaleOf(['adam', 'sgd', '1'])
    expect([texts.numeric, texts.place('sgd')]).toEqual([false, 1])
    expect(scaleOf(['5', '5']).place('5')).toBe(0.5)
  })
})
