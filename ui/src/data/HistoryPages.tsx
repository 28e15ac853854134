import { Link } from 'wouter'
import { useCheckHistory, useDriftHistory } from '../api/data'
import type { CheckHistory, CheckPoint, DriftHistory, DriftPoint } from '../api/types'
import { count, number } from '../format/value'
import { useAddress } from '../parts/address'
import { Loading, Nothing, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Failed, Page, pageCss } from '../parts/Page'
import { score, share } from '../profile/figures'
import DataPage from './DataPage'
import { HistoryGrid, type Line, type Point } from './HistoryGrid'

/** How the drift of a task, or its checks, went over its runs; the address says which. */
export default function HistoryPage({ of }: { of: 'drift' | 'checks' }) {
  const [search] = useAddress()
  const History = of === 'drift' ? Drift : Checks
  const task = search.get('task') ?? ''
  if (task === '') return <DataPage />
  return (
    <Clock ticking={false}>
      <History pipeline={search.get('pipeline') ?? ''} task={task} />
    </Clock>
  )
}

interface Props {
  pipeline: string
  task: string
}

const crumbs = (pipeline: string) => [
  <Link key="all" href="/data">
    Data
  </Link>,
  <bdi key="pipeline">{pipeline}</bdi>,
]

function Drift({ pipeline, task }: Props) {
  const { data, error } = useDriftHistory(pipeline, task)
  if (error && !data) return <Failed error={error} what="history of drift" />
  if (!data) return <Loading what="the history" />
  return (
    <Page title={`Drift of ${task}`} crumbs={crumbs(pipeline)} wide>
      <Stale what="history" error={error} />
      <p className={pageCss.soft}>{`${count(data.reports.length, 'report')}, the oldest on the left. Columns that drifted most often come first, then those that changed most.`}</p>
      <HistoryGrid title={task} heads={['Column', 'Drifted']} reports={data.reports} whole={driftOfTable(data)} lines={data.columns.map(driftOf)} />
      {data.columns_total > data.columns.length && <Nothing>{`The first ${data.columns.length} of ${count(data.columns_total, 'column')}.`}</Nothing>}
    </Page>
  )
}

const driftOfTable = ({ reports }: DriftHistory): Line => ({
  name: 'The table',
  times: `${reports.filter((r) => !r.passed).length} of ${reports.length}`,
  points: reports.map((r) => ({ strength: r.share ?? 0, bad: !r.passed, words: r.not_judged ? `not judged: ${r.not_judged}` : `${r.failed} of ${count(r.compared, 'column')} drifted${r.passed ? '' : ', the table drifted'}` })),
})

function driftOf(c: DriftHistory['columns'][number]): Line {
  const point = (p: DriftPoint): Point => ({
    strength: p.effect ?? 0,
    bad: p.drifted,
    words: `${p.drifted ? 'drift' : 'no drift'}, ${p.method ?? ''} ${score(p.score)}, limit ${score(p.threshold)}, effect ${score(p.effect)}`,
  })
  return { name: c.name, times: `${c.drifted} of ${c.compared}`, points: c.points.map((p) => (p ? point(p) : undefined)) }
}

function Checks({ pipeline, task }: Props) {
  const { data, error } = useCheckHistory(pipeline, task)
  if (error && !data) return <Failed error={error} what="history of checks" />
  if (!data) return <Loading what="the history" />
  return (
    <Page title={`Checks of ${task}`} crumbs={crumbs(pipeline)} wide>
      <Stale what="history" error={error} />
      <p className={pageCss.soft}>{`${count(data.reports.length, 'check')}, the oldest on the left. Expectations that failed most often come first.`}</p>
      <HistoryGrid title={task} heads={['Expectation', 'Failed']} reports={data.reports} whole={checkOfTable(data)} lines={data.expectations.map(checkOf)} />
      {data.expectations_total > data.expectations.length && <Nothing>{`The first ${data.expectations.length} of ${count(data.expectations_total, 'expectation')}.`}</Nothing>}
    </Page>
  )
}

const checkOfTable = ({ reports }: CheckHistory): Line => ({
  name: 'All together',
  times: `${reports.filter((r) => !r.passed).length} of ${reports.length}`,
  points: reports.map((r) => ({
    strength: r.compared > 0 ? r.failed / r.compared : 0,
    bad: !r.passed,
    words: r.not_judged ? `not judged: ${r.not_judged}` : r.passed ? `as expected, ${count(r.rows, 'row')}` : r.anomalies ? `${count(r.failed, 'difference')} from the schema, ${count(r.rows, 'row')}` : `${r.failed} of ${count(r.compared, 'expectation')} failed, ${count(r.rows, 'row')}`,
  })),
})

function checkOf(e: CheckHistory['expectations'][number]): Line {
  return { name: e.column || 'the table', detail: e.statement, times: `${e.failed} of ${e.checked}`, points: e.points.map((p) => (p ? checkPoint(p) : undefined)) }
}

function checkPoint(p: CheckPoint): Point {
  const off = p.unexpected !== undefined && p.elements ? p.unexpected / p.elements : undefined
  const words = p.error ? `could not be evaluated: ${p.error}` : `${p.passed ? 'held' : 'failed'}${p.unexpected ? `, ${share(p.unexpected, p.elements ?? 0)} of ${number(p.elements ?? 0)} not as expected` : ''}`
  return { strength: p.passed ? 0 : (off ?? 1), bad: !p.passed, words }
}
