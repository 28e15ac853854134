import { useState } from 'react'
import { useLocation } from 'wouter'
import { useDeleteGraph, useGraph } from '../api/endpoints'
import type { GraphStep, InferenceGraph } from '../api/types'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Command } from '../parts/Command'
import { Confirm } from '../parts/Confirm'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { List } from '../parts/List'
import { Loading, Notice, Stale } from '../parts/Notice'
import { Ago, Clock } from '../parts/now'
import { Fact, Facts, Failed, Page, pageCss } from '../parts/Page'
import { State } from '../parts/State'
import css from './Endpoints.module.css'
import { Events } from './Events'
import { Answered, Asked } from './GraphList'
import { endpointSign, graphPath, milliseconds, versionName } from './words'

/** An inference graph: its steps, what they ask and how they did, and what happened to it. */
export default function GraphPage({ name }: { name: string }) {
  const { data, error } = useGraph(name)
  const remove = useDeleteGraph(name)
  const [deleting, setDeleting] = useState(false)
  const [, navigate] = useLocation()
  if (error && !data) return <Failed error={error} what="inference graph" />
  if (!data) return <Loading what="the inference graph" />
  return (
    <Clock ticking={false}>
      <Page
        title={name}
        crumbs={[<Link key="all" href="/endpoints">Endpoints</Link>]}
        head={
          <>
            <State {...endpointSign(data.state)} large />
            <span className={pageCss.space} />
            <LinkButton href={`${graphPath(name)}/edit`}>Change</LinkButton>
            <Button look="danger" busy={remove.isPending} onClick={() => setDeleting(true)}>
              Delete
            </Button>
          </>
        }
      >
        {remove.error && (
          <Notice tone="danger" title="It was not deleted">
            {remove.error.message}
          </Notice>
        )}
        <Stale what="inference graph" error={error} />
        <Loaded graph={data} />
        {deleting && (
          <Confirm
            title={`Delete the graph ${name}?`}
            text="Requests to it get an error from then on. The endpoints that it asks stay, and so does its history."
            action="Delete"
            onConfirm={() => remove.mutate(undefined, { onSuccess: () => navigate('/endpoints') })}
            onClose={() => setDeleting(false)}
          />
        )}
      </Page>
    </Clock>
  )
}

function Loaded({ graph: g }: { graph: InferenceGraph }) {
  return (
    <>
      {g.spec.description && <p className={css.soft}>{g.spec.description}</p>}
      {g.trouble && (
        <Notice tone="danger" title={g.state === 'UPDATING' ? 'Its change waits; what was followed before goes on' : 'It does not answer'}>
          {g.trouble}
        </Notice>
      )}
      <Facts>
        <Fact name="Asks">
          <Asked graph={g} />
        </Fact>
        <Fact name="Answered">
          <Answered requests={g.requests} />
        </Fact>
        <Fact name="Counted since">
          <Ago time={g.counted_since} />
        </Fact>
        <Fact name="p50">{milliseconds(g.p50_ms)}</Fact>
        <Fact name="p99">{milliseconds(g.p99_ms)}</Fact>
        <Fact name="Change">{g.following === g.generation ? g.generation : `${g.following} is followed, ${g.generation} waits`}</Fact>
        <Fact name="Made">
          <Ago time={g.created_at} />
        </Fact>
      </Facts>
      <Steps graph={g} />
      <Card title="Ask for predictions">
        <div className={css.body}>
          <Command text={`curl ${window.location.origin}/serving-endpoints/${g.name}/invocations \\\n  -H 'Content-Type: application/json' \\\n  -d '{"dataframe_records": [{…}]}'`} />
          <p className={css.soft}>
            Steps are counted since the graph follows them. What it is can be changed here, or by its file with <code>levada deploy -f graph.yaml --wait</code>.
          </p>
        </div>
      </Card>
      <Events name={g.name} />
    </>
  )
}

function Steps({ graph: g }: { graph: InferenceGraph }) {
  const spec = g.active ?? g.spec
  const root = spec.root || 'root'
  const nodes = Object.entries(spec.nodes).toSorted(([a], [b]) => Number(b === root) - Number(a === root) || a.localeCompare(b))
  return (
    <List caption="Steps by node" columns={['Node', 'Step', 'Asks', 'Answered', 'Mean', 'Last failure']} className={css.list} stacked>
      <tbody>
        {nodes.flatMap(([node, { router, steps }]) =>
          steps.map((step) => {
            const name = step.name || step.endpoint || step.node || ''
            const seen = g.steps.find((s) => s.node === node && s.step === name)
            return (
              <tr key={`${node} ${name}`} data-step={`${node}/${name}`}>
                <th scope="row">
                  {node}
                  <span className={css.second}>{router}</span>
                </th>
                <td data-column="Step">
                  <span>
                    {name}
                    {conditions(step).map((words) => (
                      <span key={words} className={css.second}>
                        {words}
                      </span>
                    ))}
                  </span>
                </td>
                <td data-column="Asks">
                  <Target step={step} />
                </td>
                <td data-column="Answered">{seen ? <Answered requests={seen.requests} /> : <span>0</span>}</td>
                <td data-column="Mean">
                  <span>{milliseconds(seen?.mean_ms ?? 0)}</span>
                </td>
                <td data-column="Last failure">
                  <span>{seen?.failure ?? '–'}</span>
                </td>
              </tr>
            )
          }),
        )}
      </tbody>
    </List>
  )
}

function Target({ step }: { step: GraphStep }) {
  if (step.endpoint) {
    return (
      <span>
        <Link href={`/endpoints/${encodeURIComponent(step.endpoint)}`}>{step.endpoint}</Link>
        {step.version && <span className={css.second}>{versionName(step.version, 'version ')}</span>}
      </span>
    )
  }
  return <span>{step.node ? `node ${step.node}` : 'nothing: it maps columns'}</span>
}

/** When and how a step is taken, in words. */
function conditions(step: GraphStep): string[] {
  const out: string[] = []
  if (step.when) out.push(`when ${step.when}`)
  if (step.percent !== undefined) out.push(`${step.percent} %`)
  if (step.dependency === 'soft') out.push('soft: the node goes on without it')
  return out
}
