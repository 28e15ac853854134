import { Link } from 'wouter'
import { useReports } from '../api/data'
import { count } from '../format/value'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { Loading, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Empty, Page, pageCss } from '../parts/Page'
import { Verdict } from '../profile/ReportView'
import css from './Data.module.css'
import { checksHref, driftHref } from './links'
import { Monitors } from './Monitors'

/** What looks after data, and what it found last. */
export default function DataPage() {
  return (
    <Clock ticking={false}>
      <Page
        title="Data"
        head={
          <>
            <span className={pageCss.space} />
            <LinkButton href="/declare?new=monitor" icon="plus">
              New monitor
            </LinkButton>
          </>
        }
      >
        <section className={css.part} aria-labelledby="monitors">
          <h2 id="monitors">Monitors</h2>
          <Monitors />
        </section>
        <section className={css.part} aria-labelledby="checks">
          <h2 id="checks">Checks</h2>
          <Reports kind="check" />
        </section>
        <section className={css.part} aria-labelledby="drift">
          <h2 id="drift">Drift</h2>
          <Reports kind="drift" />
        </section>
      </Page>
    </Clock>
  )
}

const words = {
  check: { title: 'No checks yet', command: 'levada data check', component: 'components/data/check.yaml', caption: 'The newest check of each task', failed: 'Not as expected', good: 'as expected', bad: 'not as expected', href: checksHref },
  drift: { title: 'No drift reports yet', command: 'levada data drift', component: 'components/data/drift.yaml', caption: 'The newest drift report of each task', failed: 'Drifted columns', good: 'no drift', bad: 'drift', href: driftHref },
} as const

/** The newest report of each task. */
function Reports({ kind }: { kind: 'check' | 'drift' }) {
  const { data, error } = useReports(kind)
  const w = words[kind]
  return (
    <>
      <Stale what="list" error={error} />
      {!data && !error && <Loading what="the reports" />}
      {data && data.reports.length === 0 && (
        <Empty title={w.title}>
          <p>
            A step that runs <code>{w.command}</code>, such as the component <code>{w.component}</code>, makes one. It is an artifact, and here is how it went from run to run.
          </p>
        </Empty>
      )}
      {data && data.reports.length > 0 && (
        <List caption={w.caption} columns={['Task', { name: 'Pipeline', optional: true }, 'Verdict', w.failed, { name: 'Report', optional: true }]}>
          <tbody>
            {data.reports.map((r) => (
              <tr key={`${r.pipeline} ${r.task}`} data-task={r.task}>
                <td>
                  <Link href={w.href(r.pipeline, r.task)}>{r.task}</Link>
                </td>
                <td className={pageCss.optional}>{r.pipeline}</td>
                <td>
                  {r.not_judged ? <span title={r.not_judged}>not judged</span> : <Verdict good={r.passed} word={r.passed ? w.good : w.bad} />}
                </td>
                <td>{r.not_judged ? r.not_judged : r.anomalies ? count(r.failed, 'difference') : `${r.failed} of ${r.compared}`}</td>
                <td className={pageCss.optional}>
                  <Link href={`/artifacts/${r.artifact_id}`}>
                    <Ago time={r.at} />
                  </Link>
                </td>
              </tr>
            ))}
          </tbody>
        </List>
      )}
    </>
  )
}
