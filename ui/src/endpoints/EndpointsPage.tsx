import { useState } from 'react'
import { useLocation } from 'wouter'
import { useEndpoints, useGraphs } from '../api/endpoints'
import type { Endpoint } from '../api/types'
import { Field } from '../form/Field'
import formCss from '../form/Form.module.css'
import { number } from '../format/value'
import { Button } from '../parts/Button'
import { Command } from '../parts/Command'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Loading, Stale } from '../parts/Notice'
import { Empty, Page, pageCss } from '../parts/Page'
import { State } from '../parts/State'
import { DeployDialog, FormDialog, wrongName } from './DeployDialog'
import css from './Endpoints.module.css'
import { GraphList } from './GraphList'
import { endpointSign, graphPath, milliseconds, percent, perSecond, totals, versionName } from './words'

/** Where models are served: how each endpoint and each inference graph is, and how its requests are. */
export default function EndpointsPage() {
  const { data, error } = useEndpoints()
  const graphs = useGraphs()
  const [deploying, setDeploying] = useState(false)
  const [naming, setNaming] = useState(false)
  return (
    <Page
      title="Endpoints"
      head={
        <>
          <span className={pageCss.space} />
          <Button icon="plus" onClick={() => setNaming(true)}>
            New graph
          </Button>
          <Button icon="plus" onClick={() => setDeploying(true)}>
            Deploy a model
          </Button>
        </>
      }
    >
      <Stale what="list" error={error} />
      {!data && !error && <Loading what="endpoints" />}
      {data && data.endpoints.length > 0 && (
        <List caption="Endpoints by name" columns={['Endpoint', 'State', 'Traffic', 'Requests', 'Errors', 'p50', 'p99', 'Waiting']} className={css.list} stacked>
          <tbody>
            {data.endpoints.map((e) => (
              <Row key={e.name} endpoint={e} />
            ))}
          </tbody>
        </List>
      )}
      {data?.endpoints.length === 0 && <None />}
      <Stale what="list of inference graphs" error={graphs.error} />
      {graphs.data && graphs.data.graphs.length > 0 && <GraphList graphs={graphs.data.graphs} />}
      {deploying && <DeployDialog onClose={() => setDeploying(false)} />}
      {naming && <NewGraph taken={[...(data?.endpoints ?? []), ...(graphs.data?.graphs ?? [])].map((one) => one.name)} onClose={() => setNaming(false)} />}
    </Page>
  )
}

/** Asks how a graph is to be called, and leads to where it is written. */
function NewGraph({ taken, onClose }: { taken: readonly string[]; onClose: () => void }) {
  const [name, setName] = useState('')
  const [, navigate] = useLocation()
  const wrong = taken.includes(name) ? 'An endpoint or a graph is called so already.' : name !== '' ? wrongName(name) : undefined
  return (
    <FormDialog title="New inference graph" action="Write it" busy={false} disabled={name === '' || wrong !== undefined} failed="" error={null} onSubmit={() => navigate(`${graphPath(name)}/edit`)} onClose={onClose}>
      <Field label="Name" error={wrong} help="It answers under this name, like an endpoint.">
        {(wiring) => <input {...wiring} className={formCss.control} value={name} maxLength={63} onChange={(e) => setName(e.target.value)} />}
      </Field>
    </FormDialog>
  )
}

function Row({ endpoint: e }: { endpoint: Endpoint }) {
  const t = totals(e)
  return (
    <tr data-endpoint={e.name}>
      <th scope="row">
        <Link href={`/endpoints/${encodeURIComponent(e.name)}`}>{e.name}</Link>
        <span className={css.second}>{e.spec.model ? `model ${e.spec.model}` : 'on other servers'}</span>
        {e.trouble && <span className={css.trouble}>{e.trouble}</span>}
      </th>
      <td data-column="State">
        <State {...endpointSign(e.state)} />
      </td>
      <td data-column="Traffic">
        <Shares endpoint={e} />
      </td>
      <td data-column="Requests">
        <span>{perSecond(t.rate)}</span>
      </td>
      <td data-column="Errors">
        <span>{percent(t.errorShare)}</span>
      </td>
      <td data-column="p50">
        <span>{milliseconds(t.p50)}</span>
      </td>
      <td data-column="p99">
        <span>{milliseconds(t.p99)}</span>
      </td>
      <td data-column="Waiting">
        <span>{number(t.waiting)}</span>
      </td>
    </tr>
  )
}

function Shares({ endpoint: e }: { endpoint: Endpoint }) {
  return (
    <span className={css.shares}>
      {e.versions
        .filter((v) => v.percent > 0)
        .map((v) => (
          <span key={v.version} className={css.share}>
            {`${versionName(v.version, 'v')} ${number(v.percent)} %`}
          </span>
        ))}
    </span>
  )
}

function None() {
  return (
    <Empty title="No endpoints yet">
      <p>An endpoint is a name under which versions of a registered model answer requests. Deploy one here, or with:</p>
      <Command text="levada deploy models:/delays@champion --endpoint delays --wait" />
    </Empty>
  )
}
