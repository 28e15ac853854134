import { useMemo } from 'react'
import { useLocation } from 'wouter'
import { lookOf } from '../chart/curve'
import { parseField, valueOf } from '../experiments/fields'
import { number } from '../format/value'
import { useAddress } from '../parts/address'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { usualMetrics } from './CurvesView'
import { differences, scaleOf } from './differences'
import { shorten } from './ParallelView'

const width = 760
const height = 420
const frame = { left: 84, right: 24, top: 16, bottom: 48 }

/** A point for each run: a parameter or metric against another. */
export function ScatterView({ runs, focus, setFocus }: ViewProps) {
  const [search, change] = useAddress()
  const [, navigate] = useLocation()
  const params = useMemo(() => differences(runs, 'params'), [runs])
  const metrics = useMemo(() => differences(runs, 'metrics').map((d) => d.key), [runs])
  const firstParam = params.find((d) => d.differs) ?? params[0]
  const usual = useMemo(() => usualMetrics(runs, 2), [runs])
  const pick = (key: string, fallback: string) => (parseField(search.get(key) ?? '') ? (search.get(key) ?? fallback) : fallback)
  const xName = pick('sx', firstParam ? `params.${firstParam.key}` : `metrics.${usual[1] ?? usual[0] ?? ''}`)
  const yName = pick('sy', `metrics.${usual[0] ?? ''}`)
  const xField = parseField(xName)
  const yField = parseField(yName)
  const select = (key: string, label: string, value: string) => (
    <label>
      {label}
      <select value={value} onChange={(e) => change({ [key]: e.target.value })}>
        <optgroup label="Parameters">
          {params.map((d) => (
            <option key={d.key} value={`params.${d.key}`}>
              {d.key}
            </option>
          ))}
        </optgroup>
        <optgroup label="Metrics">
          {metrics.map((name) => (
            <option key={name} value={`metrics.${name}`}>
              {name}
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  )
  if (!xField || !yField) return <p className={css.note}>None of these runs has a metric.</p>
  const xs = runs.map((run) => valueOf(run, xField))
  const ys = runs.map((run) => valueOf(run, yField))
  const xScale = scaleOf(xs)
  const yScale = scaleOf(ys)
  const points = runs.flatMap((run, i) => {
    const px = xScale.place(xs[i])
    const py = yScale.place(ys[i])
    if (px === undefined || py === undefined) return []
    return [{ run, i, x: frame.left + pad(px) * (width - frame.left - frame.right), y: height - frame.bottom - pad(py) * (height - frame.top - frame.bottom) }]
  })
  const pointed = points.find((p) => p.run.id === focus)
  return (
    <>
      <div className={css.tools}>
        {select('sx', 'Across', xName)}
        {select('sy', 'Up', yName)}
        <span className={css.reading}>
          {pointed ? `${pointed.run.name}: ${xField.key} ${xs[pointed.i]}, ${yField.key} ${ys[pointed.i]}` : points.length < runs.length ? `${runs.length - points.length} of ${runs.length} runs lack one of the two` : ''}
        </span>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.plot} tabIndex={0} role="region" aria-label="Scatter">
        <svg viewBox={`0 0 ${width} ${height}`} style={{ minWidth: 480, maxWidth: 1000 }}>
          <title>{`${yField.key} against ${xField.key} of ${points.length} runs`}</title>
          <path d={`M${frame.left} ${frame.top}V${height - frame.bottom}H${width - frame.right}`} fill="none" className={css.axis} />
          {ticksOf(xScale).map((t) => (
            <text key={t.text} x={frame.left + pad(t.at) * (width - frame.left - frame.right)} y={height - frame.bottom + 16} textAnchor="middle">
              {shorten(t.text, 14)}
            </text>
          ))}
          {ticksOf(yScale).map((t) => {
            const y = height - frame.bottom - pad(t.at) * (height - frame.top - frame.bottom)
            return (
              <g key={t.text}>
                <line x1={frame.left} x2={width - frame.right} y1={y} y2={y} className={css.grid} />
                <text x={frame.left - 8} y={y + 4} textAnchor="end">
                  {shorten(t.text, 12)}
                </text>
              </g>
            )
          })}
          <text x={(frame.left + width - frame.right) / 2} y={height - 10} textAnchor="middle" className={css.title}>
            {shorten(xField.key, 60)}
          </text>
          <text transform={`translate(14 ${(height - frame.bottom + frame.top) / 2}) rotate(-90)`} textAnchor="middle" className={css.title}>
            {shorten(yField.key, 40)}
          </text>
          {points.map((p) => (
            <a
              key={p.run.id}
              href={`/tracked-runs/${p.run.id}`}
              data-point={p.run.id}
              aria-label={`${p.run.name}: ${xField.key} ${xs[p.i]}, ${yField.key} ${ys[p.i]}`}
              onClick={(e) => {
                e.preventDefault()
                navigate(`/tracked-runs/${p.run.id}`)
              }}
              onMouseEnter={() => setFocus(p.run.id)}
              onMouseLeave={() => setFocus(undefined)}
              onFocus={() => setFocus(p.run.id)}
              onBlur={() => setFocus(undefined)}
            >
              <Mark n={p.i} x={p.x} y={p.y} faint={Boolean(focus) && focus !== p.run.id} />
            </a>
          ))}
        </svg>
      </div>
    </>
  )
}

/** Keeps points off the frame. */
const pad = (at: number) => 0.04 + 0.92 * at

/** A point: its colour, and once the colours are used up another form. */
function Mark({ n, x, y, faint }: { n: number; x: number; y: number; faint: boolean }) {
  const style = { fill: lookOf(n).token }
  const className = faint ? css.faint : undefined
  switch (Math.floor(n / 8) % 3) {
    case 0:
      return <circle cx={x} cy={y} r={6} style={style} className={className} />
    case 1:
      return <rect x={x - 5.5} y={y - 5.5} width={11} height={11} style={style} className={className} />
    default:
      return <path d={`M${x} ${y - 7}l7 12h-14z`} style={style} className={className} />
  }
}

function ticksOf(scale: ReturnType<typeof scaleOf>): { at: number; text: string }[] {
  if (!scale.numeric) return scale.texts.slice(0, 10).map((text) => ({ at: scale.place(text) ?? 0, text }))
  if (scale.low === scale.high) return [{ at: 0.5, text: number(scale.low) }]
  return [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, text: number(scale.low + at * (scale.high - scale.low)) }))
}
