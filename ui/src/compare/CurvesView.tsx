import { useCallback, useEffect, useMemo } from 'react'
import { maxCurves, useCurves } from '../api/tracking'
import type { Curve, TrackedRun } from '../api/types'
import { along, type Axis, beyondZero, inOrder, type Line, positive, smooth, type Stretch, stretchFrom, stretchText } from '../chart/curve'
import { count } from '../format/value'
import { ColumnPicker } from '../experiments/ColumnPicker'
import { useAddress } from '../parts/address'
import { late } from '../parts/late'
import { Loading, Notice } from '../parts/Notice'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'

const Curves = late('charts', () => import('../chart/Curves'))

const axes: readonly (readonly [Axis, string])[] = [
  ['step', 'Step'],
  ['time', 'Time since the start'],
  ['wall', 'Date and time'],
]

export interface CurveSettings {
  axis: Axis
  log: boolean
  /** The x axis is logarithmic; a date's never is. */
  logX: boolean
  weight: number
  /** The part of the x axis that is shown; all charts of a page show the same. */
  stretch: Stretch | undefined
  onStretch: (stretch: Stretch | undefined) => void
}

/** How curves are drawn, as the address has it. */
export function useCurveSettings(): [CurveSettings, React.ReactNode] {
  const [search, change] = useAddress()
  const axis = axes.find(([a]) => a === search.get('x'))?.[0] ?? 'step'
  const log = search.get('log') === '1'
  const logX = search.get('xlog') === '1' && axis !== 'wall'
  const weight = Math.min(0.99, Math.max(0, Number(search.get('smooth')) || 0))
  const tools = (
    <>
      <label>
        Along
        <select value={axis} onChange={(e) => change({ x: e.target.value === 'step' ? undefined : e.target.value, zoom: undefined })}>
          {axes.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Smoothing
        <input type="range" min="0" max="0.99" step="0.01" value={weight} onChange={(e) => change({ smooth: Number(e.target.value) > 0 ? e.target.value : undefined })} />
        <output>{weight.toFixed(2)}</output>
      </label>
      <label>
        <input type="checkbox" checked={log} onChange={(e) => change({ log: e.target.checked ? '1' : undefined })} />
        Up logarithmic
      </label>
      <label>
        <input type="checkbox" checked={logX} disabled={axis === 'wall'} onChange={(e) => change({ xlog: e.target.checked ? '1' : undefined, zoom: undefined })} />
        Along logarithmic
      </label>
    </>
  )
  const zoom = search.get('zoom')
  const onStretch = useCallback((stretch: Stretch | undefined) => change({ zoom: stretch && stretchText(stretch) }), [change])
  const settings = useMemo(() => ({ axis, log, logX, weight, stretch: stretchFrom(zoom), onStretch }), [axis, log, logX, weight, zoom, onStretch])
  return [settings, tools]
}

/** The metrics that the most runs have, and of those the ones with the most points. */
export function usualMetrics(runs: readonly TrackedRun[], most: number): string[] {
  const seen = new Map<string, { runs: number; points: number }>()
  for (const run of runs) {
    for (const m of run.metrics) {
      const old = seen.get(m.key) ?? { runs: 0, points: 0 }
      seen.set(m.key, { runs: old.runs + 1, points: old.points + m.count })
    }
  }
  return [...seen]
    .toSorted(([a, x], [b, y]) => y.runs - x.runs || y.points - x.points || (a < b ? -1 : 1))
    .slice(0, most)
    .map(([key]) => key)
}

export function CurvesView({ runs, focus }: ViewProps) {
  const [search, change] = useAddress()
  const [settings, tools] = useCurveSettings()
  const all = useMemo(() => [...new Set(runs.flatMap((r) => r.metrics.map((m) => m.key)))].toSorted(), [runs])
  const named = useMemo(() => search.getAll('metric'), [search])
  const fits = Math.max(1, Math.floor(maxCurves / Math.max(1, runs.length)))
  const chosen = useMemo(() => (named.length > 0 ? named : usualMetrics(runs, Math.min(4, fits))), [named, runs, fits])
  if (all.length === 0) return <p className={css.note}>None of these runs has a metric.</p>
  return (
    <>
      <div className={css.tools}>
        <ColumnPicker
          label="Metrics"
          fields={{ metrics: all, params: [], tags: [] }}
          chosen={chosen.map((key) => `metrics.${key}`)}
          onChange={(next) => change({ metric: next?.map((name) => name.slice('metrics.'.length)) })}
        />
        {tools}
      </div>
      <Charts runs={runs} metrics={chosen.slice(0, fits)} settings={settings} focus={focus} />
      {chosen.length > fits && <p className={css.note}>{`Only the first ${count(fits, 'metric')}: at most ${maxCurves} curves are shown at once. Leave runs out to see more.`}</p>}
    </>
  )
}

interface ChartsProps {
  runs: readonly TrackedRun[]
  metrics: readonly string[]
  settings: CurveSettings
  focus?: string | undefined
}

/** A chart for each metric, with a line for each run. */
export function Charts({ runs, metrics, settings, focus }: ChartsProps) {
  const ids = useMemo(() => runs.map((r) => r.id), [runs])
  const curves = useCurves(ids, metrics)
  // Beside the curves, not after them: both are needed.
  useEffect(() => void Curves.load().catch(() => undefined), [])
  const { axis, log, logX, weight } = settings
  const charts = useMemo(() => chartsOf(curves.data?.curves ?? [], runs, metrics, { axis, log, logX, weight }), [curves.data, runs, metrics, axis, log, logX, weight])
  if (curves.error) return <Notice tone="danger" title="The curves could not be read">{curves.error.message}</Notice>
  if (curves.isPending) return <Loading what="curves" />
  return (
    <div className={css.charts}>
      {charts.map((c) => (
        <Curves key={c.metric} title={c.metric} lines={c.lines} axis={axis} log={log} logX={logX} stretch={settings.stretch} onStretch={settings.onStretch} focus={focus} note={c.note} />
      ))}
    </div>
  )
}

function chartsOf(curves: readonly Curve[], runs: readonly TrackedRun[], metrics: readonly string[], { axis, log, logX, weight }: Pick<CurveSettings, 'axis' | 'log' | 'logX' | 'weight'>) {
  const places = new Map(runs.map((run, i) => [run.id, { run, look: i }]))
  return metrics.map((metric) => {
    let left = 0
    const lines = curves.flatMap((curve): Line[] => {
      const place = places.get(curve.run_id)
      if (curve.key !== metric || !place) return []
      const smoothed = smooth(curve.values, weight)
      const shown = log ? positive(smoothed) : smoothed
      left += smoothed.filter((v, i) => v !== shown[i]).length
      const points = inOrder(along(curve, axis, place.run.start_ms), shown)
      const drawn = logX ? beyondZero(points.xs, points.ys) : points
      left += points.xs.length - drawn.xs.length
      return [{ id: curve.run_id, label: place.run.name, look: place.look, ...drawn }]
    })
    return { metric, lines, note: left > 0 ? `${count(left, 'point')} not above zero left out` : undefined }
  })
}
