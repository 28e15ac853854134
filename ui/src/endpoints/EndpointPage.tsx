import { type ReactNode, useState } from 'react'
import { Redirect, useLocation } from 'wouter'
import { useEndpoint, useGraphs, useRollouts, useUndeploy } from '../api/endpoints'
import type { Endpoint, EndpointVersion, RolloutRecord } from '../api/types'
import { bytes, number } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Command } from '../parts/Command'
import { Confirm } from '../parts/Confirm'
import { Link } from '../parts/Link'
import { late } from '../parts/late'
import { List } from '../parts/List'
import { Loading, Nothing, Notice, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { State } from '../parts/State'
import { Tabs } from '../parts/Tabs'
import { DeployDialog } from './DeployDialog'
import css from './Endpoints.module.css'
import { Events } from './Events'
import { RolloutDialog } from './RolloutDialog'
import { Since } from './Since'
import { TrafficDialog } from './TrafficDialog'
import { askedBy, endpointSign, graphPath, milliseconds, percent, perSecond, rolloutSign, totals, trafficWords, verdictWords, versionName, versionSign } from './words'

const RequestsView = late('the requests', () => import('./RequestsView'))
const QualityView = late('the quality', () => import('./QualityView'))

/** An endpoint: its versions and how they answer, its traffic, its rollouts, and what happened to it. */
export default function EndpointPage({ name }: { name: string }) {
  const { data, error } = useEndpoint(name)
  const graphs = useGraphs()
  if (error && !data && graphs.isPending) return <Loading what="the endpoint" />
  // Graphs answer under their names as endpoints do.
  if (error && !data && graphs.data?.graphs.some((g) => g.name === name)) return <Redirect to={graphPath(name)} replace />
  if (error && !data) return <Failed error={error} what="endpoint" />
  if (!data) return <Loading what="the endpoint" />
  return (
    <Clock ticking={false}>
      <Stale what="endpoint" error={error} />
      <Loaded endpoint={data} graphs={graphs.data?.graphs.filter((g) => askedBy(g).includes(name)).map((g) => g.name) ?? []} />
    </Clock>
  )
}

/** What trouble of an endpoint means for its requests. */
function troubleTitle(e: Endpoint): string {
  if (!e.active) return 'It does not answer yet'
  if (e.state === 'UPDATING') return 'What was asked for is not there yet; what was served before goes on'
  return JSON.stringify(e.active) !== JSON.stringify(e.spec) ? 'What was asked for could not be brought about; what was served before goes on' : 'A version that gets requests does not answer'
}

const path = (name: string) => `/endpoints/${encodeURIComponent(name)}`

const views = ['overview', 'requests', 'quality'] as const

/** What of an endpoint is shown; the address holds it. */
function Views({ endpoint: e, overview }: { endpoint: Endpoint; overview: ReactNode }) {
  const [search, change] = useAddress()
  const view = views.find((v) => v === search.get('view')) ?? 'overview'
  // Each view has filters of its own in the address.
  const choose = (id: string) => change({ ...Object.fromEntries([...search.keys()].map((key) => [key, undefined])), view: id === 'overview' ? undefined : id })
  return (
    <Tabs
      label="About the endpoint"
      value={view}
      onChange={choose}
      tabs={[
        { id: 'overview', label: 'Overview', content: <div className={css.stack}>{overview}</div> },
        { id: 'requests', label: 'Requests', content: <RequestsView endpoint={e} /> },
        { id: 'quality', label: 'Quality', content: <QualityView endpoint={e} /> },
      ]}
    />
  )
}

function Loaded({ endpoint: e, graphs }: { endpoint: Endpoint; graphs: readonly string[] }) {
  const [asking, setAsking] = useState<'deploy' | 'traffic' | 'rollout' | 'undeploy'>()
  const undeploy = useUndeploy(e.name)
  const rollouts = useRollouts(e.name)
  const [, navigate] = useLocation()
  const going = rollouts.data?.rollouts.find((r) => !r.settled)
  const close = () => setAsking(undefined)
  return (
    <Page
      title={e.name}
      crumbs={[<Link key="all" href="/endpoints">Endpoints</Link>]}
      head={
        <>
          <State {...endpointSign(e.state)} large />
          <span className={pageCss.space} />
          <Button icon="plus" onClick={() => setAsking('deploy')}>
            Deploy version
          </Button>
          <Button disabled={going !== undefined} title={going ? 'A rollout changes the traffic' : undefined} onClick={() => setAsking('traffic')}>
            Change traffic
          </Button>
          <Button disabled={going !== undefined} title={going ? 'A rollout goes on' : undefined} onClick={() => setAsking('rollout')}>
            Start rollout
          </Button>
          <Button look="danger" busy={undeploy.isPending} onClick={() => setAsking('undeploy')}>
            Undeploy
          </Button>
        </>
      }
    >
      {e.spec.settings.description && <p className={css.soft}>{e.spec.settings.description}</p>}
      {e.trouble && (
        <Notice tone="danger" title={troubleTitle(e)}>
          {e.trouble}
        </Notice>
      )}
      {undeploy.error && (
        <Notice tone="danger" title="It was not undeployed">
          {undeploy.error.message}
        </Notice>
      )}
      <Figures endpoint={e} graphs={graphs} />
      <Views endpoint={e} overview={<Overview endpoint={e} rollouts={rollouts.data?.rollouts} error={rollouts.error} />} />
      {asking === 'deploy' && <DeployDialog endpoint={e} onClose={close} />}
      {asking === 'traffic' && <TrafficDialog endpoint={e} onClose={close} />}
      {asking === 'rollout' && <RolloutDialog endpoint={e} onClose={close} />}
      {asking === 'undeploy' && (
        <Confirm
          title={`Undeploy ${e.name}?`}
          text="Requests that it has are answered; later ones get an error. The versions stay in the registry, and the history of the endpoint stays."
          action="Undeploy"
          onConfirm={() => undeploy.mutate(undefined, { onSuccess: () => navigate('/endpoints') })}
          onClose={close}
        />
      )}
    </Page>
  )
}

function Overview({ endpoint: e, rollouts, error }: { endpoint: Endpoint; rollouts: readonly RolloutRecord[] | undefined; error: Error | null }) {
  return (
    <>
      <Versions endpoint={e} />
      <div className={css.cards}>
        <Card title="Traffic">
          <div className={css.body}>
            <ul>
              {trafficWords(e.active?.traffic ?? e.spec.traffic).map((words) => (
                <li key={words}>{words}</li>
              ))}
            </ul>
          </div>
        </Card>
        <Rollouts name={e.name} list={rollouts} error={error} />
        <Card title="Ask for predictions">
          <div className={css.body}>
            <Command text={`curl ${window.location.origin}/serving-endpoints/${e.name}/invocations \\\n  -H 'Content-Type: application/json' \\\n  -d '{"dataframe_records": [{…}]}'`} />
            <p className={css.soft}>The Open Inference Protocol is at {`/v2/models/${e.name}/infer`}.</p>
          </div>
        </Card>
      </div>
      <Events name={e.name} />
    </>
  )
}

function Figures({ endpoint: e, graphs }: { endpoint: Endpoint; graphs: readonly string[] }) {
  const t = totals(e)
  return (
    <Facts>
      {e.spec.model && (
        <Fact name="Model">
          <Link href={`/models/${encodeURIComponent(e.spec.model)}`}>{e.spec.model}</Link>
        </Fact>
      )}
      <Fact name="Requests">{perSecond(t.rate)}</Fact>
      <Fact name="Errors">{percent(t.errorShare)}</Fact>
      <Fact name="p50">{milliseconds(t.p50)}</Fact>
      <Fact name="p99">{milliseconds(t.p99)}</Fact>
      <Fact name="Waiting">{number(t.waiting)}</Fact>
      <Fact name="Workers">{number(t.workers)}</Fact>
      <Fact name="Memory">{bytes(t.memory)}</Fact>
      {graphs.length > 0 && (
        <Fact name="Asked by">
          {graphs.map((g) => (
            <Link key={g} href={graphPath(g)}>{g}</Link>
          ))}
        </Fact>
      )}
      <Fact name="Since">
        <Ago time={e.created_at} />
      </Fact>
    </Facts>
  )
}

function Versions({ endpoint: e }: { endpoint: Endpoint }) {
  return (
    <List caption="Versions" columns={['Version', 'State', 'Share', 'Requests', 'Errors', 'p50', 'p99', 'Waiting', 'Workers', 'Answered']} className={css.list} stacked>
      <tbody>
        {e.versions.map((v) => (
          <Version key={v.version} model={e.spec.model ?? ''} remote={(e.spec.remotes?.[v.version] ?? e.active?.remotes?.[v.version])?.url} version={v} shadow={e.active?.traffic.shadows?.find((s) => s.version === v.version)?.percent} />
        ))}
      </tbody>
    </List>
  )
}

function Version({ model, remote, version: v, shadow }: { model: string; remote: string | undefined; version: EndpointVersion; shadow: number | undefined }) {
  const of = (outcome: string) => v.requests[outcome] ?? 0
  const others = of('failed') + of('timeout') + of('shed')
  return (
    <tr data-version={v.version}>
      <th scope="row">
        {remote === undefined ? <Link href={`/models/${encodeURIComponent(model)}/versions/${v.version}`}>Version {v.version}</Link> : v.version}
        {remote !== undefined && <span className={css.second}>{remote}</span>}
        {v.note && <span className={css.second}>{v.note}</span>}
        {v.error && <span className={css.trouble}>{v.error}</span>}
      </th>
      <td data-column="State">
        <State {...versionSign(v.state)} />
      </td>
      <td data-column="Share">
        <span>
          {number(v.percent)} %{shadow !== undefined && <span className={css.second}>sees {number(shadow)} % as copies</span>}
          {v.percent === 0 && shadow === undefined && <span className={css.second}>dark</span>}
        </span>
      </td>
      <td data-column="Requests">
        <span>{perSecond(v.rate)}</span>
      </td>
      <td data-column="Errors">
        <span>{percent(v.error_share)}</span>
      </td>
      <td data-column="p50">
        <span>{milliseconds(v.p50_ms)}</span>
      </td>
      <td data-column="p99">
        <span>{milliseconds(v.p99_ms)}</span>
      </td>
      <td data-column="Waiting">
        <span>{number(v.waiting)}</span>
      </td>
      <td data-column="Workers">
        <span>
          {number(v.workers)}
          {v.memory_bytes > 0 && <span className={css.second}>{bytes(v.memory_bytes)}</span>}
        </span>
      </td>
      <td data-column="Answered">
        <span>
          {number(of('ok'))}
          {of('rejected') > 0 && <span className={css.second}>{number(of('rejected'))} rejected</span>}
          {others > 0 && <span className={css.trouble}>{number(others)} failed</span>}
          <Since time={v.counted_since} />
          {(v.shadowed ?? 0) > 0 && <span className={css.second}>{`${number(v.agreed ?? 0)} of ${number(v.shadowed ?? 0)} copies agreed`}</span>}
        </span>
      </td>
    </tr>
  )
}

function Rollouts({ name, list, error }: { name: string; list: readonly RolloutRecord[] | undefined; error: Error | null }) {
  return (
    <Card title="Rollouts">
      <Stale what="list" error={error} />
      {list?.length === 0 && <Nothing>None yet. A rollout takes a version from no traffic to all of it, and back when it does harm.</Nothing>}
      {list && list.length > 0 && (
        <div className={css.body}>
          {list.slice(0, 20).map((r) => (
            <div key={r.id} data-rollout={r.id}>
              <Link href={`${path(name)}/rollouts/${r.id}`}>
                {r.candidates.map((c) => versionName(c)).join(', ')} against {r.baseline}
              </Link>{' '}
              <State {...rolloutSign(r)} /> <Ago time={r.started_at} />
              {r.outcome && <span className={css.second}>{verdictWords(r)}</span>}
            </div>
          ))}
        </div>
      )}
    </Card>
  )
}
