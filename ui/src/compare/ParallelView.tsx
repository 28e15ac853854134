import { useMemo } from 'react'
import { lookOf } from '../chart/curve'
import { ColumnPicker } from '../experiments/ColumnPicker'
import { asAddress, fieldsIn, parseField, valueOf } from '../experiments/fields'
import { number } from '../format/value'
import { useAddress } from '../parts/address'
import type { ViewProps } from './ComparePage'
import css from './ComparePage.module.css'
import { usualMetrics } from './CurvesView'
import { differences, type Scale, scaleOf } from './differences'

const top = 44
const height = 340
const bottom = 24
const gap = 150
const side = 70

/** A vertical axis for each parameter and metric, and a line through them for each run. */
export function ParallelView({ runs, focus, setFocus }: ViewProps) {
  const [search, change] = useAddress()
  const params = useMemo(() => differences(runs, 'params'), [runs])
  const metrics = useMemo(() => differences(runs, 'metrics').map((d) => d.key), [runs])
  const named = useMemo(() => fieldsIn(search, 'axes'), [search])
  const chosen = useMemo(
    () =>
      named ?? [
        ...params.filter((d) => d.differs).slice(0, 5).map((d) => `params.${d.key}`),
        ...usualMetrics(runs, 2).map((key) => `metrics.${key}`),
      ],
    [named, params, runs],
  )
  const axes = useMemo(
    () =>
      chosen.flatMap((name) => {
        const field = parseField(name)
        if (!field) return []
        const values = runs.map((run) => valueOf(run, field))
        return [{ name, field, values, scale: scaleOf(values) }]
      }),
    [chosen, runs],
  )
  const width = 2 * side + gap * Math.max(1, axes.length - 1)
  const x = (i: number) => side + i * gap
  const y = (place: number) => top + (1 - place) * (height - top - bottom)
  const pointed = runs.find((r) => r.id === focus)
  return (
    <>
      <div className={css.tools}>
        <ColumnPicker label="Axes" fields={{ metrics, params: params.map((d) => d.key), tags: [] }} chosen={chosen} onChange={(next) => change({ axes: next && asAddress(next) })} />
        <span className={css.reading}>{pointed ? `${pointed.name}: ${axes.map((a) => `${a.field.key} ${valueOf(pointed, a.field) ?? '–'}`).join(', ')}` : 'Point at a run to follow it.'}</span>
      </div>
      {axes.length < 2 ? (
        <p className={css.note}>Choose at least two axes.</p>
      ) : (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className={css.plot} tabIndex={0} role="region" aria-label="Parallel coordinates">
          <svg viewBox={`0 0 ${width} ${height}`} style={{ minWidth: width }} role="img" aria-label={`Parallel coordinates of ${runs.length} runs over ${axes.map((a) => a.field.key).join(', ')}`}>
            {runs.map((run, r) => {
              const points = axes.map((axis, i) => ({ x: x(i), at: axis.scale.place(axis.values[r]) }))
              return (
                <path
                  key={run.id}
                  data-line={run.id}
                  d={pathOf(points.map((p) => ({ x: p.x, y: p.at === undefined ? undefined : y(p.at) })))}
                  className={`${css.line} ${focus && focus !== run.id ? css.faint : ''} ${focus === run.id ? css.strong : ''}`}
                  style={{ stroke: lookOf(r).token }}
                  strokeDasharray={lookOf(r).dash.join(' ')}
                  onMouseEnter={() => setFocus(run.id)}
                  onMouseLeave={() => setFocus(undefined)}
                />
              )
            })}
            {axes.map((axis, i) => (
              <g key={axis.name} transform={`translate(${x(i)} 0)`}>
                <line y1={y(1)} y2={y(0)} className={css.axis} />
                <text y={16} textAnchor="middle" className={css.title}>
                  <title>{axis.name}</title>
                  {shorten(axis.field.key, 20)}
                </text>
                <text y={31} textAnchor="middle">
                  {axis.field.kind === 'params' ? 'parameter' : 'metric'}
                </text>
                <Ticks scale={axis.scale} y={y} />
              </g>
            ))}
          </svg>
        </div>
      )}
    </>
  )
}

/** A line with a gap where a run has no value. */
function pathOf(points: { x: number; y: number | undefined }[]): string {
  let pen = 'M'
  let path = ''
  for (const p of points) {
    if (p.y === undefined) pen = 'M'
    else {
      path += `${pen}${p.x} ${p.y.toFixed(1)}`
      pen = 'L'
    }
  }
  return path
}

export function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text
}

function Ticks({ scale, y }: { scale: Scale; y: (place: number) => number }) {
  const ticks = scale.numeric
    ? (scale.low === scale.high ? [0.5] : [0, 0.5, 1]).map((at) => ({ at, text: number(scale.low === scale.high ? scale.low : scale.low + at * (scale.high - scale.low)) }))
    : scale.texts.slice(0, 12).map((text) => ({ at: scale.place(text) ?? 0, text: shorten(text, 16) }))
  return ticks.map((t) => (
    <text key={t.text} x={6} y={y(t.at) + 4}>
      {t.text}
    </text>
  ))
}
