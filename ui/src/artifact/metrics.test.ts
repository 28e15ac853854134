import { describe, expect, it } from 'vitest'
import type { Artifact } from '../api/types'
import { areaUnder, classifications, scalarMetrics } from './metrics'

const artifact = (schema_title: string, metadata: Record<string, unknown>): Artifact => ({
  id: 'a', name: 'm', schema_title, uri: '', size: 0, metadata,
})

describe('scalarMetrics', () => {
  it('lists single values and leaves out everything else', () => {
    expect(scalarMetrics(artifact('system.Metrics', { acc: 0.9, name: 'x', ok: true, nested: {}, none: null }))).toEqual([
      { name: 'acc', value: 0.9 },
      { name: 'name', value: 'x' },
      { name: 'ok', value: true },
    ])
    expect(scalarMetrics(artifact('system.Model', { acc: 1 }))).toEqual([])
  })
})

describe('classifications', () => {
  const metadata = {
    confidenceMetrics: [
      { confidenceThreshold: 0.1, recall: 1, falsePositiveRate: 1 },
      { confidenceThreshold: 'Infinity', recall: 0, falsePositiveRate: 0 },
      { recall: 'wrong' },
    ],
    confusionMatrix: { annotationSpecs: [{ displayName: 'no' }, { displayName: 'yes' }], rows: [{ row: [5, 1] }, { row: [2, 7] }] },
  }

  it('reads curves in order and matrices, and skips points that are none', () => {
    expect(classifications(artifact('system.ClassificationMetrics', metadata))).toEqual([
      {
        roc: [
          { fpr: 0, tpr: 0, threshold: undefined },
          { fpr: 1, tpr: 1, threshold: 0.1 },
        ],
        confusion: { labels: ['no', 'yes'], rows: [[5, 1], [2, 7]] },
      },
    ])
  })

  it('reads slices', () => {
    const sliced = { evaluationSlices: [{ slice: 'winter', sliceClassificationMetrics: metadata }, { slice: 'empty' }] }
    const found = classifications(artifact('system.SlicedClassificationMetrics', sliced))
    expect(found.map((c) => c.slice)).toEqual(['winter'])
  })

  it.each([[{}], [{ confidenceMetrics: 'x', confusionMatrix: 3 }], [{ confusionMatrix: { annotationSpecs: [{}], rows: [] } }]])(
    'finds nothing in %j',
    (odd) => expect(classifications(artifact('system.ClassificationMetrics', odd))).toEqual([]),
  )
})

describe('areaUnder', () => {
  it('is a half for the diagonal and one for a perfect curve', () => {
    const p = (fpr: number, tpr: number) => ({ fpr, tpr, threshold: undefined })
    expect(areaUnder([p(0, 0), p(1, 1)])).toBe(0.5)
    expect(areaUnder([p(0, 0), p(0, 1), p(1, 1)])).toBe(1)
  })
})
