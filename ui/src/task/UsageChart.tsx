import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef } from 'react'
import uPlot from 'uplot'
import { colours } from '../chart/Curves'
import { duration } from '../format/time'
import { bytes, number } from '../format/value'
import { useShownTheme } from '../shell/theme'
import css from './UsageView.module.css'

interface Props {
  title: string
  unit: 'processors' | 'bytes'
  seconds: number[]
  values: number[]
  /** A line that the values should stay below. */
  limit?: number | undefined
}

/** One measure of a step along the time since its start. */
export default function UsageChart({ title, unit, seconds, values, limit }: Props) {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const data = useMemo<uPlot.AlignedData>(() => {
    const xs = [0, ...seconds]
    // Processors are a mean since the sample before, memory is what was held at a time: of the start only the first is known.
    const ys = [unit === 'processors' ? (values[0] ?? null) : null, ...values]
    return limit ? [xs, ys, xs.map(() => limit)] : [xs, ys]
  }, [seconds, values, limit, unit])
  const latest = useRef(data)
  useEffect(() => {
    latest.current = data
    plot.current?.setData(data)
  }, [data])
  const bounded = limit !== undefined && limit > 0
  useEffect(() => {
    const element = host.current
    if (!element) return
    const made = new uPlot(options(element, unit, bounded), latest.current, element)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [unit, bounded, theme])
  return (
    <figure className={css.figure} data-chart={title}>
      <figcaption>
        {title}
        {bounded && <span className={css.limit}>dashed: the limit</span>}
      </figcaption>
      <div ref={host} role="img" aria-label={`${title}, at most ${text(Math.max(0, ...values), unit)}, over ${duration((seconds.at(-1) ?? 0) * 1000)}`} />
    </figure>
  )
}

const height = 150

function text(value: number, unit: Props['unit']): string {
  return unit === 'bytes' ? bytes(value) : number(Number(value.toFixed(2)))
}

function options(host: HTMLElement, unit: Props['unit'], bounded: boolean): uPlot.Options {
  const colour = colours(host)
  const grid = colour('var(--border)')
  const common = { stroke: colour('var(--text-2)'), font: `11px ${getComputedStyle(host).fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const line = unit === 'bytes' ? 'var(--series-3)' : 'var(--series-1)'
  return {
    width: host.clientWidth || 300,
    height,
    scales: { x: { time: false }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...common, size: 26, values: (_, splits) => splits.map((s) => duration(Math.max(0, s) * 1000)) },
      { ...common, size: 62, ...(unit === 'bytes' ? { incrs: binary } : {}), values: (_, splits) => splits.map((s) => text(s, unit)) },
    ],
    series: [
      {},
      { label: unit, stroke: colour(line), width: 1.6, fill: colour(`color-mix(in srgb, ${line} 16%, transparent)`), points: { show: (u) => u.data[0].length < 4, size: 6 } },
      ...(bounded ? [{ label: 'limit', stroke: colour('var(--danger)'), width: 1.4, dash: [6, 4], points: { show: false } }] : []),
    ],
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    legend: { show: false },
    padding: [8, 12, 0, 0],
  }
}

/** Steps of an axis of bytes: powers of two, so that labels are whole. */
const binary = Array.from({ length: 50 }, (_, i) => 2 ** i)
