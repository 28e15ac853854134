import 'uplot/dist/uPlot.min.css'
import { useEffect, useMemo, useRef } from 'react'
import uPlot from 'uplot'
import { duration } from '../format/time'
import { number } from '../format/value'
import { useShownTheme } from '../shell/theme'
import { colours } from './Curves'
import css from './Curves.module.css'
import { lookOf } from './curve'

/** A line with an interval around it. */
export interface PlotLine {
  label: string
  /** Which of the looks of a line it has. */
  look: number
  ys: readonly (number | null)[]
  low?: readonly (number | null)[]
  high?: readonly (number | null)[]
}

/** A horizontal line with its name. */
export interface PlotMark {
  y: number
  label: string
}

interface Props {
  title: string
  /** Said below the chart. */
  note?: string
  xs: readonly number[]
  /** Seconds since a beginning, values, or times as seconds since 1970. */
  x: 'seconds' | 'values' | 'time'
  lines: readonly PlotLine[]
  marks?: readonly PlotMark[]
  logX?: boolean
  logY?: boolean
  /** From where to where the x axis goes, whatever points there are. */
  range?: readonly [number, number]
  /** Lines are steps from an x to the next: distributions. */
  steps?: boolean
  height?: number
}

const size = (n: number) => number(Number(n.toPrecision(3)))

/** A time on an axis: as a day, or within few days with the hour. */
const moment = (seconds: number, span: number) => new Date(seconds * 1000).toLocaleString('en-GB', span > 4 * 86_400 ? { day: 'numeric', month: 'short' } : span > 86_400 ? { weekday: 'short', hour: '2-digit', minute: '2-digit' } : { hour: '2-digit', minute: '2-digit' })

/** A chart of a few lines over one x axis, with intervals and limits. Its names stand above it, in the colours of the lines. */
export function Plot(props: Props) {
  const { title, note, lines, marks = [], xs } = props
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const theme = useShownTheme()
  const data = useMemo(() => dataOf(xs, lines, marks), [xs, lines, marks])
  // A chart is made anew only when its lines or axes change; new points are put into it.
  const shape = JSON.stringify([lines.map((l) => [l.label, l.look, l.low !== undefined, isShort(l)]), marks.map((m) => m.label), props.x, props.logX, props.logY, props.steps, props.range?.map((s) => Math.round(s / 60)), theme])
  const latest = useRef({ props, data })
  useEffect(() => {
    latest.current = { props, data }
    if (plot.current?.series.length === data.length) plot.current.setData(data)
  })
  useEffect(() => {
    const element = host.current
    if (!element) return
    const made = new uPlot(options(element, latest.current.props), latest.current.data, element)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: latest.current.props.height ?? 170 }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = undefined
    }
    // shape stands for the lines, whose points change while a rollout is going on.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [shape])
  return (
    <figure className={css.figure} data-plot={title}>
      <figcaption>
        <strong>{title}</strong>
        <span className={css.names}>
          {lines.map((l) => (
            <span key={l.label} className={css.name}>
              <i style={{ background: lookOf(l.look).token }} aria-hidden="true" />
              {l.label}
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={host} className={css.plot} role="img" aria-label={sentence(title, lines, marks)} />
      <p className={css.reading}>{note ?? ' '}</p>
    </figure>
  )
}

/** Whether a line has so few points that each is marked: one alone would not be seen. */
const isShort = (l: PlotLine) => l.ys.filter((y) => y !== null).length <= 12

function dataOf(xs: readonly number[], lines: readonly PlotLine[], marks: readonly PlotMark[]): uPlot.AlignedData {
  const columns: (number | null)[][] = []
  for (const l of lines) {
    columns.push([...l.ys])
    if (l.low && l.high) columns.push([...l.low], [...l.high])
  }
  for (const m of marks) columns.push(xs.map(() => m.y))
  return [[...xs], ...columns] as uPlot.AlignedData
}

/** The chart as a sentence. */
function sentence(title: string, lines: readonly PlotLine[], marks: readonly PlotMark[]): string {
  const ends = lines.map((l) => `${l.label} ends at ${number(l.ys.findLast((y) => y !== null) ?? Number.NaN)}`)
  return `${[title, ...ends, ...marks.map((m) => `${m.label} at ${number(m.y)}`)].join('; ')}.`
}

function options(host: HTMLElement, { x, lines, marks = [], logX = false, logY = false, steps = false, range, height = 170 }: Props): uPlot.Options {
  const colour = colours(host)
  const text = colour('var(--text-2)')
  const grid = colour('var(--border)')
  const common = { stroke: text, font: `11px ${getComputedStyle(host).fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 } }
  const paths = steps ? uPlot.paths.stepped?.({ align: 1 }) : undefined
  const series: uPlot.Series[] = [{}]
  const bands: uPlot.Band[] = []
  for (const l of lines) {
    const stroke = colour(lookOf(l.look).token)
    series.push({ label: l.label, stroke, width: 1.6, spanGaps: true, points: { show: !steps && isShort(l), size: 5 }, ...(paths ? { paths } : {}) })
    if (l.low && l.high) {
      const at = series.length
      bands.push({ series: [at + 1, at], fill: faint(stroke) })
      for (let i = 0; i < 2; i++) series.push({ stroke: 'transparent', width: 0, spanGaps: true, points: { show: false } })
    }
  }
  for (const m of marks) series.push({ label: m.label, stroke: text, width: 1, dash: [5, 4], points: { show: false } })
  return {
    width: host.clientWidth || 300,
    height,
    scales: { x: { time: x === 'time', ...(logX ? { distr: 3 } : {}), ...(range ? { range: [range[0], range[1]] as [number, number] } : {}) }, y: logY ? { distr: 3 } : {} },
    axes: [
      { ...common, size: 26, values: (_, splits) => splits.map((s) => (s === null ? '' : x === 'time' ? moment(s, (splits.at(-1) ?? s) - (splits[0] ?? s)) : x === 'seconds' ? (s < 0 ? '' : duration(s * 1000)) : size(s))) },
      { ...common, size: 58, ...(logY ? { grid: { show: false } } : {}), values: (_, splits) => splits.map((s) => (s === null ? '' : size(s))) },
    ],
    series,
    bands,
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    legend: { show: false },
    // Half of the last name below the axis stands beyond its end.
    padding: [10, 28, 0, 0],
    hooks: { draw: [(u) => drawIntervals(u, lines, colour), (u) => drawMarks(u, marks, text), (u) => u.root.closest('figure')?.setAttribute('data-drawn', String(lines.length))] },
  }
}

/** A colour of the canvas that lets shine through what lies below. */
function faint(rgb: string): string {
  const parts = /^rgb\(([\d.]+), ([\d.]+), ([\d.]+)\)$/.exec(rgb)
  return parts ? `rgba(${parts[1]}, ${parts[2]}, ${parts[3]}, 0.18)` : rgb
}

/** The intervals of lines with few points as bars: of a single point there is no band. */
function drawIntervals(u: uPlot, lines: readonly PlotLine[], colour: (token: string) => string): void {
  const { ctx } = u
  ctx.save()
  ctx.lineWidth = 1.5 * devicePixelRatio
  for (const [i, l] of lines.entries()) {
    if (!l.low || !l.high || !isShort(l)) continue
    ctx.strokeStyle = colour(lookOf(l.look).token)
    // Those of several lines stand beside one another.
    const aside = (i - (lines.length - 1) / 2) * 3 * devicePixelRatio
    for (const [at, low] of l.low.entries()) {
      const x = u.data[0][at]
      const high = l.high[at]
      if (x === undefined || typeof low !== 'number' || typeof high !== 'number') continue
      const left = u.valToPos(x, 'x', true) + aside
      ctx.beginPath()
      ctx.moveTo(left, u.valToPos(low, 'y', true))
      ctx.lineTo(left, u.valToPos(high, 'y', true))
      ctx.stroke()
    }
  }
  ctx.restore()
}

/** Names of limits, at the right end of their lines. */
function drawMarks(u: uPlot, marks: readonly PlotMark[], colour: string): void {
  const { ctx } = u
  ctx.save()
  ctx.fillStyle = colour
  ctx.font = `${10 * devicePixelRatio}px sans-serif`
  ctx.textAlign = 'right'
  for (const m of marks) ctx.fillText(m.label, u.bbox.left + u.bbox.width - 4, u.valToPos(m.y, 'y', true) - 4)
  ctx.restore()
}
