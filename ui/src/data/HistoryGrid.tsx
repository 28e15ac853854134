import type { CSSProperties } from 'react'
import { Link } from 'wouter'
import type { StoredReport } from '../api/types'
import { clock, exact } from '../format/time'
import css from './History.module.css'

/** What a report says of one thing: how strong it is, from 0 to 1, whether it is marked, and both in words. */
export interface Point {
  strength: number
  bad: boolean
  words: string
}

export interface Line {
  name: string
  /** Of one of several lines with one name. */
  detail?: string
  /** In how many reports it was bad, of how many. */
  times: string
  /** One for each report, in the order of the reports; undefined where the report does not speak of it. */
  points: readonly (Point | undefined)[]
}

interface Props {
  title: string
  /** What a line is, and what the marks count. */
  heads: readonly [string, string]
  /** The newest first; they are shown the other way round. */
  reports: readonly StoredReport[]
  /** The table as a whole. */
  whole: Line
  lines: readonly Line[]
}

/** When a report was made, as short as tells it from those beside it: the time of day where all are of one day. */
function moment(report: StoredReport, all: readonly StoredReport[]): string {
  const day = (r: StoredReport) => new Date(r.at).toLocaleDateString('sv-SE') // 2026-11-30
  return all.every((r) => day(r) === day(report)) ? clock(report.at).slice(0, 5) : day(report).slice(5)
}

/** A row for each thing, a cell for each report: how dark it is says how much, a sign that it is bad. */
export function HistoryGrid({ title, heads, reports, whole, lines }: Props) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={css.scroll} tabIndex={0} role="region" aria-label={`History of ${title}`}>
      <table className={css.grid}>
        <thead>
          <tr>
            <th scope="col" className={css.column}>
              {heads[0]}
            </th>
            <th scope="col" className={css.times}>
              {heads[1]}
            </th>
            {reports.toReversed().map((report, i) => (
              <th key={report.artifact_id} scope="col">
                <Link href={`/artifacts/${report.artifact_id}`} title={`${exact(report.at)} · ${report.run_name || report.run_id}: ${whole.points[reports.length - 1 - i]?.words}`}>
                  {moment(report, reports)}
                </Link>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <Row line={whole} className={css.whole} />
          {lines.map((line) => (
            <Row key={`${line.name} ${line.detail ?? ''}`} line={line} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ line, className }: { line: Line; className?: string | undefined }) {
  const words = line.detail ? `${line.name} ${line.detail}` : line.name
  return (
    <tr data-column={className ? undefined : line.name} className={className}>
      <th scope="row" className={css.column} title={words}>
        <bdi>{line.name}</bdi>
        {line.detail && <bdi className={css.detail}>{line.detail}</bdi>}
      </th>
      <td className={css.times}>{line.times}</td>
      {line.points.toReversed().map((point, i) => (
        // oxlint-disable-next-line react/no-array-index-key
        <td key={i}>{point ? <Cell point={point} label={`${words}: ${point.words}`} /> : <span className={css.none} title="not looked at" />}</td>
      ))}
    </tr>
  )
}

function Cell({ point, label }: { point: Point; label: string }) {
  return (
    <span className={css.cell} role="img" aria-label={label} title={label} data-bad={point.bad} style={{ '--strength': `${Math.round(Math.min(1, Math.max(0, point.strength)) * 100)}%` } as CSSProperties}>
      {point.bad ? '!' : ''}
    </span>
  )
}
