import { type ReactNode, useMemo } from 'react'
import { useLocation } from 'wouter'
import type { TrackedRun } from '../api/types'
import { lookOf } from '../chart/curve'
import { type Field, parseField, valueOf } from '../experiments/fields'
import { useAddress } from '../parts/address'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { differences, type Scale, scaleOf, ticksOf } from './differences'
import { shorten } from './ParallelView'

const width = 760
const height = 420
const frame = { left: 84, right: 24, top: 16, bottom: 48 }

/** Keeps points off the frame. */
const pad = (at: number) => 0.04 + 0.92 * at

/** Where a value between 0 and 1 is drawn. */
export const across = (at: number) => frame.left + pad(at) * (width - frame.left - frame.right)
export const up = (at: number) => height - frame.bottom - pad(at) * (height - frame.top - frame.bottom)

/** A parameter or metric that an axis is of, with its values and where they are. */
export interface AxisOf {
  field: Field
  values: (number | string | undefined)[]
  scale: Scale
}

export function axisOf(runs: readonly TrackedRun[], field: Field, log: boolean): AxisOf {
  const values = runs.map((run) => valueOf(run, field))
  return { field, values, scale: scaleOf(values, log) }
}

/** Chooses the field of an axis; the address holds it. */
export function FieldSelect({ runs, name, label, value, onlyMetrics = false }: { runs: readonly TrackedRun[]; name: string; label: string; value: string; onlyMetrics?: boolean }) {
  const [, change] = useAddress()
  const params = useMemo(() => (onlyMetrics ? [] : differences(runs, 'params')), [runs, onlyMetrics])
  const metrics = useMemo(() => differences(runs, 'metrics'), [runs])
  return (
    <label>
      {label}
      <select value={value} onChange={(e) => change({ [name]: e.target.value })}>
        {params.length > 0 && (
          <optgroup label="Parameters">
            {params.map((d) => (
              <option key={d.key} value={`params.${d.key}`}>
                {d.key}
              </option>
            ))}
          </optgroup>
        )}
        <optgroup label="Metrics">
          {metrics.map((d) => (
            <option key={d.key} value={`metrics.${d.key}`}>
              {d.key}
            </option>
          ))}
        </optgroup>
      </select>
    </label>
  )
}

/** Whether axes are logarithmic, as the address has it, with boxes to change it. */
export function useLogAxes(): [{ x: boolean; y: boolean }, ReactNode] {
  const [search, change] = useAddress()
  const box = (key: string, label: string) => (
    <label>
      <input type="checkbox" checked={search.get(key) === '1'} onChange={(e) => change({ [key]: e.target.checked ? '1' : undefined })} />
      {label}
    </label>
  )
  const axes = { x: search.get('logx') === '1', y: search.get('logy') === '1' }
  return [
    axes,
    <>
      {box('logx', 'Across logarithmic')}
      {box('logy', 'Up logarithmic')}
    </>,
  ]
}

/** The field that the address names with a key, or the fallback. */
export function useField(key: string, fallback: string): string {
  const [search] = useAddress()
  const named = search.get(key) ?? ''
  return parseField(named) ? named : fallback
}

interface Props extends ViewProps {
  label: string
  title: string
  x: AxisOf
  y: AxisOf
  /** What is said of a run after the values of the axes. */
  more?: (i: number) => string
  /** Lies beneath the points. */
  children?: ReactNode
  /** Marks of one look, where colour means something else. */
  plain?: boolean
}

/** What is said of a run where it is pointed at. */
export const sentence = (run: TrackedRun, i: number, x: AxisOf, y: AxisOf) => `${run.name}: ${x.field.key} ${x.values[i]}, ${y.field.key} ${y.values[i]}`

/** A plane with two axes and a mark for each run, which leads to the run. */
export function Plane({ runs, focus, setFocus, label, title, x, y, more, children, plain = false }: Props) {
  const [, navigate] = useLocation()
  const points = runs.flatMap((run, i) => {
    const px = x.scale.place(x.values[i])
    const py = y.scale.place(y.values[i])
    return px === undefined || py === undefined ? [] : [{ run, i, x: across(px), y: up(py) }]
  })
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.plot} tabIndex={0} role="region" aria-label={label}>
      <svg viewBox={`0 0 ${width} ${height}`} style={{ minWidth: 480, maxWidth: 1000 }}>
        <title>{title}</title>
        {children}
        <path d={`M${frame.left} ${frame.top}V${height - frame.bottom}H${width - frame.right}`} fill="none" className={css.axis} />
        {ticksOf(x.scale).map((t) => (
          <text key={t.at} x={across(t.at)} y={height - frame.bottom + 16} textAnchor="middle">
            {shorten(t.text, 14)}
          </text>
        ))}
        {ticksOf(y.scale).map((t) => (
          <g key={t.at}>
            <line x1={frame.left} x2={width - frame.right} y1={up(t.at)} y2={up(t.at)} className={css.grid} />
            <text x={frame.left - 8} y={up(t.at) + 4} textAnchor="end">
              {shorten(t.text, 12)}
            </text>
          </g>
        ))}
        <text x={(frame.left + width - frame.right) / 2} y={height - 10} textAnchor="middle" className={css.title}>
          {shorten(x.field.key, 60)}
        </text>
        <text transform={`translate(14 ${(height - frame.bottom + frame.top) / 2}) rotate(-90)`} textAnchor="middle" className={css.title}>
          {shorten(y.field.key, 40)}
        </text>
        {points.map((p) => (
          <a
            key={p.run.id}
            href={`/tracked-runs/${p.run.id}`}
            data-point={p.run.id}
            aria-label={`${sentence(p.run, p.i, x, y)}${more ? more(p.i) : ''}`}
            onClick={(e) => {
              e.preventDefault()
              navigate(`/tracked-runs/${p.run.id}`)
            }}
            onMouseEnter={() => setFocus(p.run.id)}
            onMouseLeave={() => setFocus(undefined)}
            onFocus={() => setFocus(p.run.id)}
            onBlur={() => setFocus(undefined)}
          >
            {plain ? (
              <circle cx={p.x} cy={p.y} r={focus === p.run.id ? 7 : 4.5} className={css.dot} />
            ) : (
              <Mark n={p.i} x={p.x} y={p.y} faint={Boolean(focus) && focus !== p.run.id} />
            )}
          </a>
        ))}
      </svg>
    </div>
  )
}

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
