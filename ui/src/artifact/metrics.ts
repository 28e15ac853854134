// The metrics that the kfp SDK writes into the metadata of artifacts (kfp/dsl/types/artifact_types.py).
import type { Artifact, Task } from '../api/types'

export type Scalar = number | string | boolean

export interface ScalarMetric {
  name: string
  value: Scalar
}

export interface RocPoint {
  fpr: number
  tpr: number
  threshold: number | undefined
}

export interface Confusion {
  labels: string[]
  rows: number[][]
}

export interface Classification {
  /** Name of the slice, for system.SlicedClassificationMetrics. */
  slice?: string
  roc: RocPoint[]
  confusion: Confusion | undefined
}

/** The values logged with Metrics.log_metric. */
export function scalarMetrics(artifact: Artifact): ScalarMetric[] {
  if (artifact.schema_title !== 'system.Metrics') return []
  return Object.entries(artifact.metadata ?? {}).flatMap(([name, value]) =>
    typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean' ? [{ name, value }] : [],
  )
}

export interface TaskMetric extends ScalarMetric {
  task: Task
}

/** All logged values of a run: tasks at the top first, those of loops after them. */
export function runMetrics(tasks: Iterable<Task>): TaskMetric[] {
  const found: TaskMetric[] = []
  for (const task of tasks) {
    // A group passes on what its tasks made: counting it as well would show a value twice.
    if (task.kind !== 'container' && task.kind !== 'importer') continue
    for (const artifacts of Object.values(task.outputs.artifacts ?? {})) {
      for (const artifact of artifacts) found.push(...scalarMetrics(artifact).map((m) => ({ ...m, task })))
    }
  }
  const depth = ({ task }: TaskMetric) => task.path.split('/').length
  return found.toSorted((a, b) => depth(a) - depth(b))
}

/** What ClassificationMetrics and SlicedClassificationMetrics logged; empty for anything else. */
export function classifications(artifact: Artifact): Classification[] {
  const metadata: unknown = artifact.metadata ?? {}
  if (artifact.schema_title === 'system.ClassificationMetrics') return [classification(metadata)].filter(hasContent)
  if (artifact.schema_title !== 'system.SlicedClassificationMetrics') return []
  return list(field(metadata, 'evaluationSlices'))
    .map((s) => ({ slice: String(field(s, 'slice') ?? ''), ...classification(field(s, 'sliceClassificationMetrics')) }))
    .filter(hasContent)
}

function hasContent(c: Classification): boolean {
  return c.roc.length > 0 || c.confusion !== undefined
}

function classification(metadata: unknown): Classification {
  return { roc: rocPoints(field(metadata, 'confidenceMetrics')), confusion: confusion(field(metadata, 'confusionMatrix')) }
}

/** Points from (0, 0) to (1, 1). A threshold may be infinite, which JSON has no word for. */
function rocPoints(value: unknown): RocPoint[] {
  return list(value)
    .flatMap((p) => {
      const fpr = field(p, 'falsePositiveRate')
      const tpr = field(p, 'recall')
      const threshold = field(p, 'confidenceThreshold')
      if (typeof fpr !== 'number' || typeof tpr !== 'number') return []
      return [{ fpr, tpr, threshold: typeof threshold === 'number' ? threshold : undefined }]
    })
    .toSorted((a, b) => a.fpr - b.fpr || a.tpr - b.tpr)
}

/** Area under the curve by the trapezoidal rule. */
export function areaUnder(points: readonly RocPoint[]): number {
  let area = 0
  points.forEach((p, i) => {
    const before = points[i - 1]
    if (before) area += ((p.fpr - before.fpr) * (p.tpr + before.tpr)) / 2
  })
  return area
}

function confusion(value: unknown): Confusion | undefined {
  const labels = list(field(value, 'annotationSpecs')).map((s) => String(field(s, 'displayName') ?? ''))
  const rows = list(field(value, 'rows')).map((r) => list(field(r, 'row')).map((n) => (typeof n === 'number' ? n : 0)))
  if (labels.length === 0 || rows.length !== labels.length) return undefined
  return { labels, rows }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
