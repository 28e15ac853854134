import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import { duration, exact } from '../format/time'
import { number } from '../format/value'
import { useShownTheme } from '../shell/theme'
import { align, type Axis, type Line, lookOf, nearest } from './curve'
import css from './Curves.module.css'

interface Props {
  title: string
  lines: readonly Line[]
  axis: Axis
  log: boolean
  height?: number
  /** The line that is pointed at elsewhere. */
  focus?: string | undefined
  note?: string | undefined
}

/** A chart of one metric, a line for each run. Dragging zooms, a double click shows everything again. */
export default function Curves({ title, lines, axis, log, height = 220, focus, note }: Props) {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const [reading, setReading] = useState('')
  const data = useMemo(() => align(lines), [lines])
  // A chart is made anew only when its lines or axes change; new points are put into it.
  const shape = JSON.stringify([lines.map((l) => [l.id, l.look]), axis, log, theme])
  const latest = useRef({ lines, data })
  useEffect(() => {
    latest.current = { lines, data }
    if (plot.current && plot.current.series.length === data.length) refill(plot.current, data as uPlot.AlignedData)
  }, [lines, data])
  useEffect(() => {
    const element = host.current
    if (!element) return
    const read = (u: uPlot) => setReading(readingOf(u, latest.current.lines, axis))
    const made = new uPlot(options(element, latest.current.lines, axis, log, height, read), latest.current.data as uPlot.AlignedData, element)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = undefined
    }
    // shape stands for the lines, whose points change while a run is going on.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [shape, axis, log, height])
  useEffect(() => {
    const index = lines.findIndex((l) => l.id === focus)
    plot.current?.setSeries(index < 0 ? null : index + 1, { focus: true })
  }, [focus, lines])
  return (
    <figure className={css.figure} data-chart={title}>
      <figcaption>
        <strong>{title}</strong>
        {log && <span className={css.soft}>logarithmic</span>}
      </figcaption>
      <div ref={host} className={css.plot} role="img" aria-label={describe(title, lines)} />
      <p className={css.reading}>{reading || note || ' '}</p>
    </figure>
  )
}

/** Puts new points into a chart. What its reader has zoomed in on stays in sight. */
function refill(u: uPlot, data: uPlot.AlignedData): void {
  const xs = u.data[0]
  const { min, max } = u.scales.x ?? {}
  const zoomed = xs.length > 0 && min != null && max != null && (min > (xs[0] ?? min) || max < (xs.at(-1) ?? max))
  u.setData(data, !zoomed)
  if (zoomed) u.redraw()
}

/** The chart as a sentence. */
function describe(title: string, lines: readonly Line[]): string {
  const [only] = lines
  const last = only?.ys.findLast((y) => y !== null)
  if (lines.length === 1 && only) return `Curve of ${title} with ${only.xs.length} points, the last ${last == null ? 'not a number' : number(last)}`
  return `Curves of ${title} of ${lines.length} runs`
}

function xText(x: number, axis: Axis): string {
  if (axis === 'step') return `step ${number(x)}`
  if (axis === 'time') return duration(x * 1000)
  return Math.abs(x) < 8.64e12 ? exact(new Date(x * 1000).toISOString()) : `${x} s`
}

function readingOf(u: uPlot, lines: readonly Line[], axis: Axis): string {
  const hovered = u.cursor.idxs ?? []
  const y = u.cursor.top ?? -1
  let best: { line: Line; index: number; far: number } | undefined
  if (y < 0) return ''
  for (const [i, line] of lines.entries()) {
    const index = hovered[i + 1]
    const value = index == null ? undefined : u.data[i + 1]?.[index]
    if (index == null || value == null) continue
    const far = Math.abs(u.valToPos(value, 'y') - y)
    if (!best || far < best.far) best = { line, index, far }
  }
  if (!best) return ''
  const value = u.data[lines.indexOf(best.line) + 1]?.[best.index]
  return `${best.line.label}: ${number(value ?? Number.NaN)} at ${xText(u.data[0][best.index] ?? 0, axis)}`
}

function options(host: HTMLElement, lines: readonly Line[], axis: Axis, log: boolean, height: number, read: (u: uPlot) => void): uPlot.Options {
  const colour = colours(host)
  const text = colour('var(--text-2)')
  const grid = colour('var(--border)')
  const font = `11px ${getComputedStyle(host).fontFamily}`
  const common = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const few = lines.every((l) => l.xs.length === 1)
  return {
    width: host.clientWidth || 300,
    height,
    scales: { x: { time: axis === 'wall' }, y: log ? { distr: 3 } : {} },
    axes: [
      { ...common, size: 28, ...(axis === 'time' ? { values: (_, splits) => splits.map((s) => duration(Math.max(0, s) * 1000)) } : axis === 'step' ? { values: (_, splits) => splits.map((s) => (Number.isInteger(s) ? number(s) : '')) } : {}) },
      { ...common, size: 56, values: (_, splits) => splits.map((s) => (s === null ? '' : number(s))) },
    ],
    series: [
      {},
      ...lines.map((line) => {
        const look = lookOf(line.look)
        return {
          label: line.label,
          stroke: colour(look.token),
          width: lines.length > 30 ? 1 : 1.6,
          dash: look.dash,
          spanGaps: true,
          points: { show: few || line.xs.length === 1, size: 7 },
        }
      }),
    ],
    cursor: {
      drag: { x: true, y: false },
      // Making the other lines fainter draws all of them anew: with many that would be felt at each move.
      focus: { prox: lines.length > 30 ? -1 : 24 },
      points: { show: lines.length <= 30, size: 6 },
      dataIdx: (u, series, index) => (series === 0 ? index : nearest(u.data[series] ?? [], index)),
    },
    focus: { alpha: 0.22 },
    legend: { show: false },
    padding: [10, 14, 0, 0],
    hooks: { setCursor: [read], draw: [(u) => u.root.closest('figure')?.setAttribute('data-drawn', String(u.series.length - 1))] },
  }
}

/** The colours that tokens stand for just now: a canvas does not know tokens. */
export function colours(host: HTMLElement): (token: string) => string {
  const known = new Map<string, string>()
  return (token) => {
    let resolved = known.get(token)
    if (resolved === undefined) {
      const probe = document.createElement('span')
      probe.style.color = token
      host.append(probe)
      resolved = getComputedStyle(probe).color
      probe.remove()
      known.set(token, resolved)
    }
    return resolved
  }
}
