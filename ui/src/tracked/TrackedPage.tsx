import { useMemo, useState } from 'react'
import { isGoingOn, useTrackedRun } from '../api/tracking'
import type { TrackedDetail, TrackedMetric, TrackedModel, TrackedRun } from '../api/types'
import { Charts, useCurveSettings } from '../compare/CurvesView'
import { count, number } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { Link } from '../parts/Link'
import { Loading, Nothing, Notice, Stale } from '../parts/Notice'
import { Clock } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { Tabs } from '../parts/Tabs'
import { Dataset } from './Dataset'
import { Files } from './Files'
import { Pairs } from './Pairs'
import { Started, Status, Took } from './status'
import css from './TrackedPage.module.css'

/** One tracked run; it follows the run while that is going on. */
export default function TrackedPage({ id }: { id: string }) {
  const tracked = useTrackedRun(id)
  if (tracked.error && !tracked.data) return <Failed error={tracked.error} what="tracked run" />
  if (!tracked.data) return <Loading what="the run" />
  const { run, experiment_name, parent_name } = tracked.data
  const crumbs = [
    <Link key="all" href="/experiments">
      Experiments
    </Link>,
    <Link key="experiment" href={`/experiments/${run.experiment_id}`}>
      {experiment_name}
    </Link>,
  ]
  if (run.parent_id && parent_name !== undefined) {
    crumbs.push(
      <Link key="parent" href={`/tracked-runs/${encodeURIComponent(run.parent_id)}`}>
        {parent_name}
      </Link>,
    )
  }
  return (
    <Clock ticking={isGoingOn(run)}>
      <Page title={run.name || '(no name)'} crumbs={crumbs} head={<Status status={run.status} large />}>
        <Stale what="run" error={tracked.error} />
        {run.deleted && <Notice tone="warning">This run is deleted. MLflow’s client can restore it.</Notice>}
        <RunFacts run={run} />
        <Parts detail={tracked.data} />
      </Page>
    </Clock>
  )
}

function RunFacts({ run }: { run: TrackedRun }) {
  return (
    <Facts>
      <Fact name="Started">
        <Started run={run} />
      </Fact>
      <Fact name="Duration">
        <Took run={run} />
      </Fact>
      {run.user && <Fact name="User">{run.user}</Fact>}
      {run.pipeline && (
        <Fact name={run.pipeline.task_id ? 'Task' : 'Pipeline run'}>
          <Link href={`/runs/${run.pipeline.run_id}${run.pipeline.task_id ? `/tasks/${run.pipeline.task_id}` : ''}`}>
            {run.pipeline.task_id ? run.pipeline.path || 'Open' : 'Open'}
          </Link>
        </Fact>
      )}
      {run.children ? (
        <Fact name="Beneath">
          <Link href={`/experiments/${run.experiment_id}?flat=1&filter=${encodeURIComponent(`tags.\`mlflow.parentRunId\` = '${run.id}'`)}`}>{count(run.children, 'run')}</Link>
        </Fact>
      ) : null}
      <Fact name="Run id">
        <code>{run.id.slice(0, 8)}</code>
        <Copy text={run.id} label="Copy the run’s id" />
      </Fact>
    </Facts>
  )
}

function Parts({ detail }: { detail: TrackedDetail }) {
  const [search, change] = useAddress()
  const { run } = detail
  const tabs = [
    { id: 'overview', label: 'Overview', content: <Overview detail={detail} /> },
    { id: 'curves', label: 'Curves', content: <RunCurves run={run} /> },
    { id: 'files', label: 'Files', content: <Files run={run} location={detail.artifact_uri} /> },
  ]
  const tab = search.get('tab') ?? ''
  return <Tabs label="About the run" value={tabs.some((t) => t.id === tab) ? tab : 'overview'} onChange={(id) => change({ tab: id })} tabs={tabs} />
}

function Overview({ detail: { run, datasets, models } }: { detail: TrackedDetail }) {
  return (
    <div className={css.cards}>
      <Metrics metrics={run.metrics} />
      <Card title={`Parameters (${Object.keys(run.params).length})`}>
        <Pairs values={run.params} empty="None were logged." />
      </Card>
      {datasets.length > 0 && (
        <Card title={`Datasets (${datasets.length})`}>
          <ul>
            {datasets.map((d) => (
              <Dataset key={`${d.name} ${d.digest} ${d.context ?? ''}`} dataset={d} />
            ))}
          </ul>
        </Card>
      )}
      {models.length > 0 && (
        <Card title={`Models (${models.length})`}>
          <ul>
            {models.map((m) => (
              <Model key={`${m.role} ${m.id ?? ''} ${m.name} ${m.version ?? ''}`} model={m} />
            ))}
          </ul>
        </Card>
      )}
      <Card title={`Tags (${Object.keys(run.tags).length})`}>
        <Pairs values={run.tags} empty="None." />
      </Card>
    </div>
  )
}

function Metrics({ metrics }: { metrics: readonly TrackedMetric[] }) {
  return (
    <Card title={`Metrics (${metrics.length})`}>
      {metrics.length === 0 && <Nothing>None were logged.</Nothing>}
      {metrics.length > 0 && (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        <div className={css.scroll} tabIndex={0} role="region" aria-label="Metrics">
          <table className={css.metrics}>
            <thead>
              <tr>
                <th scope="col">Metric</th>
                <th scope="col">Latest</th>
                <th scope="col">Lowest</th>
                <th scope="col">Highest</th>
                <th scope="col">Step</th>
                <th scope="col">Points</th>
              </tr>
            </thead>
            <tbody>
              {metrics.map((m) => (
                <tr key={m.key}>
                  <th scope="row">{m.key}</th>
                  <td title={String(m.value ?? 'NaN')}>
                    <strong>{value(m.value)}</strong>
                  </td>
                  <td>{value(m.min)}</td>
                  <td>{value(m.max)}</td>
                  <td>{number(m.step)}</td>
                  <td>{number(m.count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

const value = (v: number | undefined) => (v === undefined ? 'NaN' : number(v))

const roles = { input: 'read', output: 'made', registered: 'registered' } as const

function Model({ model: m }: { model: TrackedModel }) {
  return (
    <li className={`${css.item} ${css.line}`}>
      <span className={css.badge}>{roles[m.role]}</span>
      {m.version ? (
        <Link href={`/models/${encodeURIComponent(m.name)}?version=${m.version}`}>
          {m.name} version {m.version}
        </Link>
      ) : (
        <>
          <strong>{m.name}</strong>
          {m.type && <span className={pageCss.soft}>{m.type}</span>}
          {m.status && m.status !== 'READY' && <span className={pageCss.soft}>{m.status.toLowerCase().replaceAll('_', ' ')}</span>}
          {m.id && (
            <>
              <code>{m.id.slice(0, 10)}</code>
              <Copy text={m.id} label="Copy the model’s id" />
            </>
          )}
        </>
      )}
    </li>
  )
}

const few = 12

function RunCurves({ run }: { run: TrackedRun }) {
  const [settings, tools] = useCurveSettings()
  const [shown, setShown] = useState(few)
  // Metrics with a curve come first, then those with one point.
  const keys = useMemo(
    () => run.metrics.toSorted((a, b) => Number(b.count > 1) - Number(a.count > 1) || (a.key < b.key ? -1 : 1)).map((m) => m.key),
    [run.metrics],
  )
  const text = keys.slice(0, shown).join('\n')
  const metrics = useMemo(() => (text ? text.split('\n') : []), [text])
  const runs = useMemo(() => [run], [run])
  if (keys.length === 0) return <Nothing>No metric was logged.</Nothing>
  return (
    <div className={css.curves}>
      <div className={css.tools}>{tools}</div>
      <Charts runs={runs} metrics={metrics} settings={settings} />
      {keys.length > shown && shown < 96 && <Button onClick={() => setShown(Math.min(96, shown + few))}>{`Show more of ${count(keys.length, 'metric')}`}</Button>}
    </div>
  )
}
