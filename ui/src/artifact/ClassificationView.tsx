import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import { number } from '../format/value'
import { useShownTheme } from '../shell/theme'
import css from './ClassificationView.module.css'
import { areaUnder, type Classification, type Confusion, type RocPoint } from './metrics'

/** The ROC curve and the confusion matrix of a classifier. */
export default function ClassificationView({ classification }: { classification: Classification }) {
  const { slice, roc, confusion } = classification
  return (
    <div className={css.view}>
      {slice !== undefined && <h4>Slice {slice}</h4>}
      {roc.length > 0 && <Roc points={roc} />}
      {confusion && <Matrix confusion={confusion} />}
    </div>
  )
}

const size = { width: 340, height: 260 }

function Roc({ points }: { points: RocPoint[] }) {
  const host = useRef<HTMLDivElement>(null)
  const theme = useShownTheme()
  const [under, setUnder] = useState<RocPoint>()
  useEffect(() => {
    if (!host.current) return
    const plot = new uPlot(options(host.current, (i) => setUnder(points[i ?? -1])), [points.map((p) => p.fpr), points.map((p) => p.tpr), points.map((p) => p.fpr)], host.current)
    return () => plot.destroy()
    // The canvas holds the theme's colours.
  }, [points, theme])
  const area = number(areaUnder(points))
  return (
    <figure className={css.figure}>
      <figcaption>
        ROC curve, area under it <strong>{area}</strong>
      </figcaption>
      <div ref={host} className={css.plot} role="img" aria-label={`ROC curve of ${points.length} points with an area of ${area}`} />
      <p className={css.reading}>{under ? reading(under) : 'Point at the curve to read it.'}</p>
    </figure>
  )
}

function options(host: HTMLElement, onPoint: (index: number | null | undefined) => void): uPlot.Options {
  const text = colour(host, 'var(--text-2)')
  const line = colour(host, 'var(--border)')
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
  return {
    ...size,
    scales: { x: { time: false, range: [0, 1] }, y: { range: [0, 1.02] } },
    axes: [
      { ...axis, label: 'False positive rate', labelSize: 20, size: 34 },
      { ...axis, label: 'True positive rate', labelSize: 20, size: 42 },
    ],
    series: [
      {},
      { stroke: colour(host, 'var(--accent)'), width: 2, points: { show: false } },
      { stroke: text, width: 1, dash: [4, 4], points: { show: false } },
    ],
    cursor: { drag: { x: false, y: false } },
    legend: { show: false },
    padding: [8, 14, 0, 0],
    hooks: { setCursor: [(plot) => onPoint(plot.cursor.idx)] },
  }
}

function reading({ tpr, fpr, threshold }: RocPoint): string {
  const at = threshold === undefined ? '' : ` at threshold ${number(threshold)}`
  return `True positives ${number(tpr)}, false positives ${number(fpr)}${at}`
}

/** The colour that a token stands for just now: a canvas does not know tokens. */
function colour(host: HTMLElement, token: string): string {
  const probe = document.createElement('span')
  probe.style.color = token
  host.append(probe)
  const resolved = getComputedStyle(probe).color
  probe.remove()
  return resolved
}

function Matrix({ confusion: { labels, rows } }: { confusion: Confusion }) {
  const most = Math.max(1, ...rows.flat())
  return (
    <figure className={css.figure}>
      <figcaption>Confusion matrix: rows are true, columns are predicted</figcaption>
      <div className={css.scroll}>
        <table className={css.matrix}>
          <thead>
            <tr>
              <td aria-label="True and predicted" />
              {labels.map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {labels.map((label, r) => (
              <tr key={label}>
                <th scope="row">{label}</th>
                {labels.map((column, c) => {
                  const n = rows[r]?.[c] ?? 0
                  return (
                    <td key={column}>
                      <span className={css.heat} style={{ opacity: 0.04 + 0.36 * (n / most) }} />
                      <span className={css.cell}>{number(n)}</span>
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  )
}
