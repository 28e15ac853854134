import { useMemo } from 'react'
import { Link } from 'wouter'
import { useArtifact } from '../api/artifacts'
import { useHead } from '../api/queries'
import { useMaker } from '../api/data'
import { CodeView } from '../artifact/CodeView'
import { contentOf, type Place } from '../artifact/place'
import { count, number } from '../format/value'
import { Icon } from '../parts/icons'
import { Loading, Notice } from '../parts/Notice'
import { checksHref, driftHref } from '../data/links'
import { figure, score, share } from './figures'
import { Findings } from './Findings'
import css from './Profile.module.css'
import own from './Report.module.css'
import { ProfileTable } from './ProfileTable'
import { type CheckReport, type CheckResult, type DriftReport, type DriftResult, parseReport } from './report'

/** As much as is read of a report. */
const limit = 32 * 1024 * 1024

/** A report about a table in the form that suits it. What is none after all is shown as text. */
export function ReportView({ place, path, title, text }: { place: Place; path: string; title: string; text: string }) {
  const file = useHead(contentOf(place, path), limit, Infinity)
  const report = useMemo(() => file.data && parseReport(new TextDecoder().decode(file.data.bytes)), [file.data])
  if (file.isPending) return <Loading what="the report" />
  if (file.error) return <Notice tone="danger">{file.error.message}</Notice>
  switch (report?.kind) {
    case 'check':
      return <Check report={report} title={title} artifact={place.kind === 'artifact' ? place.id : undefined} />
    case 'drift':
      return <Drift report={report} title={title} artifact={place.kind === 'artifact' ? place.id : undefined} />
    case 'profile':
      return <ProfileTable profile={report.profile} title={title} />
    default:
      return <CodeView text={text} language="json" title={title} />
  }
}

/** A verdict as a sign, a word and a colour. */
export function Verdict({ good, word }: { good: boolean; word: string }) {
  return (
    <span className={`${own.verdict} ${good ? own.good : own.bad}`}>
      <Icon name={good ? 'check' : 'warning'} size={13} />
      {word}
    </span>
  )
}

const fewRows = 500

function verdictOf(report: CheckReport, failed: number): string {
  if (report.schema) return report.success ? 'The table is as the schema says' : `${count(failed, 'difference')} from the schema`
  return report.success ? 'All expectations hold' : `${failed} of ${count(report.results.length, 'expectation')} ${failed === 1 ? 'does' : 'do'} not hold`
}

function Check({ report, title, artifact }: { report: CheckReport; title: string; artifact: string | undefined }) {
  const failed = report.results.filter((r) => !r.success)
  const results = [...failed.filter((r) => !r.error), ...failed.filter((r) => r.error), ...report.results.filter((r) => r.success)]
  return (
    <div className={css.profile} data-report="check">
      <p className={css.summary}>
        {report.notJudged ? <strong>{`Not judged: ${report.notJudged}`}</strong> : <Verdict good={report.success} word={verdictOf(report, failed.length)} />}
        <span>{count(report.rows, 'row')}</span>
        {artifact && <History artifact={artifact} href={checksHref} />}
      </p>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.scroll} tabIndex={0} role="region" aria-label={`Expectations of ${title}`}>
        <table className={css.grid}>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Expectation</th>
              <th scope="col">Result</th>
              <th scope="col" className={css.right}>
                Not as expected
              </th>
              <th scope="col">Examples, or what was observed</th>
            </tr>
          </thead>
          <tbody>
            {results.slice(0, fewRows).map((r, i) => (
              // oxlint-disable-next-line react/no-array-index-key
              <tr key={i} data-expectation={r.statement}>
                <th scope="row">
                  <bdi>{r.column || 'table'}</bdi>
                </th>
                <td className={own.wide}>
                  <bdi>{r.statement}</bdi>
                </td>
                <td>
                  <Verdict good={r.success} word={r.success ? 'holds' : r.error ? 'cannot be evaluated' : 'fails'} />
                </td>
                <td className={css.right}>{r.unexpected === undefined ? '–' : share(r.unexpected, (r.elements ?? 0) - (r.missing ?? 0))}</td>
                <td className={own.wide}>
                  <bdi>{r.error || examplesOf(r)}</bdi>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {results.length > fewRows && <p className={css.note}>{`The first ${fewRows} of ${count(results.length, 'expectation')}.`}</p>}
      <Findings title="How the table was read" findings={report.misread} />
    </div>
  )
}

function examplesOf(r: CheckResult): string {
  if (r.examples.length === 0) return r.observed || '–'
  const shown = r.examples.slice(0, 5).map((e) => `row ${number(e.row + 1)}: ${e.value || 'nothing'}`)
  return shown.join(', ') + (r.examples.length > 5 ? ', …' : '')
}

const limitWord = (c: DriftResult) => (c.scoreIs.startsWith('p') ? `below ${score(c.threshold)}` : `from ${score(c.threshold)}`)

function Drift({ report, title, artifact }: { report: DriftReport; title: string; artifact: string | undefined }) {
  return (
    <div className={css.profile} data-report="drift">
      <p className={css.summary}>
        {report.notJudged ? (
          <strong>{`Not judged: ${report.notJudged}`}</strong>
        ) : (
          <Verdict good={!report.drifted} word={report.drifted ? 'The table has drifted' : 'The table has not drifted'} />
        )}
        <span>{`${report.driftedColumns} of ${count(report.compared, 'column')} drifted; the limit is ${Math.round(report.limit * 100)} %`}</span>
        <span>{`${count(report.referenceRows, 'row')} of the reference, ${count(report.currentRows, 'row')} now`}</span>
        {report.season && <bdi>{report.season}</bdi>}
        {artifact && <History artifact={artifact} href={driftHref} />}
      </p>
      {report.findings.length > 0 && (
        <ul className={`${css.findings} ${own.findings}`}>
          {report.findings.slice(0, 100).map((f) => (
            <li key={`${f.column} ${f.what}`}>
              <bdi className={css.name}>{f.column}</bdi>
              <bdi>{f.what}</bdi>
            </li>
          ))}
        </ul>
      )}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.scroll} tabIndex={0} role="region" aria-label={`Columns of ${title}`}>
        <table className={css.grid}>
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Verdict</th>
              <th scope="col">Test</th>
              <th scope="col" className={css.right}>
                Score
              </th>
              <th scope="col">Drift</th>
              <th scope="col" className={css.right}>
                Effect
              </th>
              <th scope="col" className={css.right}>
                Importance
              </th>
              <th scope="col">Reference</th>
              <th scope="col">Now</th>
              <th scope="col">Distribution</th>
            </tr>
          </thead>
          <tbody>
            {report.columns.slice(0, fewRows).map((c, i) => (
              // oxlint-disable-next-line react/no-array-index-key
              <tr key={i} data-column={c.name}>
                <th scope="row" title={c.name}>
                  <bdi>{c.name}</bdi>
                  {c.role && c.role !== 'feature' && <span className={css.soft}>{` ${c.role}`}</span>}
                </th>
                <td>{c.method ? <Verdict good={!c.drifted} word={c.drifted ? 'drift' : 'no drift'} /> : <span title={c.note}>not compared</span>}</td>
                <td title={c.note || undefined}>{c.method || '–'}</td>
                <td className={css.right}>{score(c.score)}</td>
                <td>{c.method ? `${c.scoreIs.startsWith('p') ? 'p ' : ''}${limitWord(c)}` : '–'}</td>
                <td className={css.right}>{score(c.effect)}</td>
                <td className={css.right}>{score(c.importance)}</td>
                <td>{sideOf(c.reference)}</td>
                <td>{sideOf(c.current)}</td>
                <td>{c.bins ? <Pair name={c.name} reference={c.bins.reference} current={c.bins.current} /> : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {report.columns.length > fewRows && <p className={css.note}>{`The first ${fewRows} of ${count(report.columns.length, 'column')}.`}</p>}
      <Findings title="How the reference was read" findings={report.referenceMisread} />
      <Findings title="How the current table was read" findings={report.currentMisread} />
    </div>
  )
}

function sideOf(s: DriftResult['reference']): string {
  if (s.mean !== undefined) return `${figure(s.mean)}${s.sd === undefined ? '' : ` ± ${score(s.sd)}`}`
  return s.distinct ? count(s.distinct, 'value') : '–'
}

/** The shares of the reference and of now, side by side in each bin. */
function Pair({ name, reference, current }: { name: string; reference: readonly number[]; current: readonly number[] }) {
  const most = Math.max(1e-9, ...reference, ...current)
  const bins = reference.slice(0, 40)
  return (
    <svg className={own.pair} width={bins.length * 8} height={24} role="img" aria-label={`Distribution of ${name}: the reference beside now`}>
      {bins.map((n, i) => {
        const was = (22 * n) / most
        const is = (22 * (current[i] ?? 0)) / most
        return (
          // oxlint-disable-next-line react/no-array-index-key
          <g key={i}>
            <rect className={own.was} x={i * 8} y={24 - was} width={3} height={was} />
            <rect className={own.is} x={i * 8 + 3} y={24 - is} width={3} height={is} />
          </g>
        )
      })}
    </svg>
  )
}

/** Leads to the other reports of the same task. */
function History({ artifact, href }: { artifact: string; href: (pipeline: string, task: string) => string }) {
  const { data } = useArtifact(artifact)
  const run = useMaker(data)
  if (!data?.task_name || !run.data) return null
  return <Link href={href(run.data.pipeline_name ?? '', data.task_name)}>How it went over the runs</Link>
}
