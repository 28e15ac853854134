import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef, useState } from 'react'
import uPlot from 'uplot'
import { duration, exact } from '../format/time'
import { number } from '../format/value'
import { useShownTheme } from '../shell/theme'
import { align, type Axis, ends, type Line, lookOf, nearest, nearestOf, sameStretch, type Stretch, within } from './curve'
import css from './Curves.module.css'

interface Props {
  title: string
  lines: readonly Line[]
  axis: Axis
  log: boolean
  logX?: boolean
  height?: number
  /** The part of the x axis that is shown: what its reader has zoomed in on. */
  stretch: Stretch | undefined
  onStretch: (stretch: Stretch | undefined) => void
  /** The line that is pointed at elsewhere. */
  focus?: string | undefined
  note?: string | undefined
}

/** A chart of one metric, a line for each run. Dragging zooms, a double click shows everything again. */
export default function Curves({ title, lines, axis, log, logX = false, height = 220, stretch, onStretch, focus, note }: Props) {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const [reading, setReading] = useState('')
  const many = isMany(lines)
  const data = useMemo(() => (many ? ends(lines) : align(lines)), [lines, many])
  // A chart is made anew only when its lines or axes change; new points are put into it.
  const shape = JSON.stringify([lines.map((l) => [l.id, l.look]), axis, log, logX, theme])
  const latest = useRef({ lines, data, stretch, onStretch })
  useEffect(() => {
    latest.current = { lines, data, stretch, onStretch }
  })
  useEffect(() => {
    if (plot.current && plot.current.series.length === data.length) refill(plot.current, data as uPlot.AlignedData, latest.current.stretch)
  }, [lines, data])
  useEffect(() => {
    const element = host.current
    if (!element) return
    const now = () => latest.current.lines
    const read = (u: uPlot) => setReading(isMany(now()) ? readingOfMany(u, now(), axis) : readingOf(u, now(), axis))
    const zoomed = (u: uPlot) => {
      const { stretch: asked, onStretch: tell } = latest.current
      // What was asked for is no news: it may be more than this chart has.
      if (asked && u.scales.x?.min === asked.from && u.scales.x.max === asked.to) return
      const shown = stretchOf(u)
      if (!sameStretch(shown, asked)) tell(shown)
    }
    const made = new uPlot(options(element, now, { axis, log, logX, height }, read, zoomed), latest.current.data as uPlot.AlignedData, element)
    show(made, latest.current.stretch)
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
  }, [shape, axis, log, logX, height])
  useEffect(() => {
    if (plot.current) show(plot.current, stretch)
  }, [stretch])
  useEffect(() => {
    const index = lines.findIndex((l) => l.id === focus)
    plot.current?.setSeries(index < 0 ? null : index + 1, { focus: true })
  }, [focus, lines])
  return (
    <figure className={css.figure} data-chart={title}>
      <figcaption>
        <strong>{title}</strong>
        {(log || logX) && <span className={css.soft}>{log && logX ? 'logarithmic, both axes' : logX ? 'logarithmic along' : 'logarithmic'}</span>}
      </figcaption>
      <div ref={host} className={css.plot} role="img" aria-label={describe(title, lines)} />
      <p className={css.reading}>{reading || note || ' '}</p>
    </figure>
  )
}

/** The part of the x axis that a chart shows; undefined when it is all of it. */
function stretchOf(u: uPlot): Stretch | undefined {
  const xs = u.data[0]
  const { min, max } = u.scales.x ?? {}
  const [first, last] = [xs[0], xs.at(-1)]
  if (min == null || max == null || first === undefined || last === undefined || (min <= first && max >= last)) return undefined
  return { from: min, to: max }
}

/** Shows a stretch, or all there is. */
function show(u: uPlot, stretch: Stretch | undefined): void {
  if (sameStretch(stretchOf(u), stretch)) return
  const [min, max] = stretch ? [stretch.from, stretch.to] : [u.data[0][0], u.data[0].at(-1)]
  if (min !== undefined && max !== undefined) u.setScale('x', { min, max })
}

/** Puts new points into a chart. What its reader has zoomed in on stays in sight. */
function refill(u: uPlot, data: uPlot.AlignedData, stretch: Stretch | undefined): void {
  u.setData(data, !stretch)
  if (stretch) u.redraw()
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

/**
 * With many lines each is drawn from its own points. On an x axis that they share they would have as many places as all of them have
 * points, most of them empty.
 */
const isMany = (lines: readonly Line[]) => lines.length > 30

function readingOfMany(u: uPlot, lines: readonly Line[], axis: Axis): string {
  const { left = -1, top = -1 } = u.cursor
  if (left < 0 || top < 0) return ''
  const x = u.posToVal(left, 'x')
  let best: { text: string; far: number } | undefined
  for (const line of lines) {
    const at = nearestOf(line, x)
    const y = at === undefined ? null : line.ys[at]
    if (at === undefined || y == null) continue
    const far = Math.abs(u.valToPos(y, 'y') - top)
    if (!best || far < best.far) best = { text: `${line.label}: ${number(y)} at ${xText(line.xs[at] ?? 0, axis)}`, far }
  }
  return best?.text ?? ''
}

/** Where values lie on a scale of a chart, in its pixels: what valToPos says of each, for many. */
function along(u: uPlot, scale: 'x' | 'y', of: (value: number) => number): (value: number) => number {
  const { min, max } = u.scales[scale] ?? {}
  if (min == null || max == null) return () => 0
  const [from, to] = [u.valToPos(min, scale, true), u.valToPos(max, scale, true)]
  const first = of(min)
  const share = (to - from) / (of(max) - first)
  return (value) => from + (of(value) - first) * share
}

/** Draws a line from its own points. */
function ownPath(u: uPlot, line: Line | undefined, { log, logX }: Look): uPlot.Series.Paths {
  const stroke = new Path2D()
  const { xs, ys } = line ?? { xs: [], ys: [] }
  const across = along(u, 'x', logX ? Math.log10 : (v) => v)
  const up = along(u, 'y', log ? Math.log10 : (v) => v)
  let begun = false
  for (let i = 0; i < xs.length; i++) {
    const y = ys[i]
    if (y == null) continue
    const [px, py] = [across(xs[i] ?? 0), up(y)]
    if (begun) stroke.lineTo(px, py)
    else stroke.moveTo(px, py)
    begun = true
    if (xs.length === 1) stroke.arc(px, py, 2, 0, 2 * Math.PI)
  }
  return { stroke, fill: null, clip: null, band: null, flags: 1 }
}

/** The values in sight, with some room. */
function rangeOfMany(u: uPlot, lines: readonly Line[], log: boolean): [number, number] {
  const { min, max } = u.scales.x ?? {}
  const [low, high] = within(lines, min ?? -Infinity, max ?? Infinity)
  if (low > high) return log ? [1, 10] : [0, 1]
  const [from, to] = log ? uPlot.rangeLog(low, high, 10, false) : uPlot.rangeNum(low, high, 0.1, true)
  return [from ?? low, to ?? high]
}

interface Look {
  axis: Axis
  log: boolean
  logX: boolean
  height: number
}

function options(host: HTMLElement, now: () => readonly Line[], look: Look, read: (u: uPlot) => void, zoomed: (u: uPlot) => void): uPlot.Options {
  const { axis, log, logX, height } = look
  const lines = now()
  const many = isMany(lines)
  const colour = colours(host)
  const text = colour('var(--text-2)')
  const grid = colour('var(--border)')
  const font = `11px ${getComputedStyle(host).fontFamily}`
  const common = { stroke: text, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const few = lines.every((l) => l.xs.length === 1)
  return {
    width: host.clientWidth || 300,
    height,
    scales: { x: { time: axis === 'wall', ...(logX ? { distr: 3 } : {}) }, y: { ...(log ? { distr: 3 } : {}), ...(many ? { range: (u) => rangeOfMany(u, now(), log) } : {}) } },
    axes: [
      { ...common, size: 28, ...(axis === 'time' ? { values: (_, splits) => splits.map((s) => (s === null ? '' : duration(Math.max(0, s) * 1000))) } : axis === 'step' ? { values: (_, splits) => splits.map((s) => (Number.isInteger(s) ? number(s) : '')) } : {}) },
      { ...common, size: 56, values: (_, splits) => splits.map((s) => (s === null ? '' : number(s))) },
    ],
    series: [
      {},
      ...lines.map((line, i) => {
        const { token, dash } = lookOf(line.look)
        return {
          label: line.label,
          stroke: colour(token),
          width: many ? 1 : 1.6,
          ...(many ? { paths: (u: uPlot) => ownPath(u, now()[i], look) } : {}),
          dash,
          spanGaps: true,
          points: { show: !many && (few || line.xs.length === 1), size: 7 },
        }
      }),
    ],
    cursor: {
      drag: { x: true, y: false },
      // Making the other lines fainter draws all of them anew: with many that would be felt at each move.
      focus: { prox: many ? -1 : 24 },
      points: { show: !many, size: 6 },
      ...(many ? {} : { dataIdx: (u: uPlot, series: number, index: number) => (series === 0 ? index : nearest(u.data[series] ?? [], index)) }),
    },
    focus: { alpha: 0.22 },
    legend: { show: false },
    padding: [10, 14, 0, 0],
    hooks: { setCursor: [read], setScale: [(u, key) => key === 'x' && zoomed(u)], draw: [(u) => u.root.closest('figure')?.setAttribute('data-drawn', String(u.series.length - 1))] },
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
