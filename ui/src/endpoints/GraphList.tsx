import { Fragment } from 'react'
import type { InferenceGraph } from '../api/types'
import { number } from '../format/value'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { State } from '../parts/State'
import css from './Endpoints.module.css'
import { Since } from './Since'
import { askedBy, endpointSign, graphPath, milliseconds } from './words'

/** Inference graphs with their state and the endpoints that they ask. */
export function GraphList({ graphs }: { graphs: readonly InferenceGraph[] }) {
  return (
    <section className={css.graphs}>
      <h2>Inference graphs</h2>
      <List caption="Inference graphs by name" columns={['Graph', 'State', 'Asks', 'Answered', 'p50', 'p99']} className={css.list} stacked>
        <tbody>
          {graphs.map((g) => (
            <tr key={g.name} data-graph={g.name}>
              <th scope="row">
                <Link href={graphPath(g.name)}>{g.name}</Link>
                {g.spec.description && <span className={css.second}>{g.spec.description}</span>}
                {g.trouble && <span className={css.trouble}>{g.trouble}</span>}
              </th>
              <td data-column="State">
                <State {...endpointSign(g.state)} />
              </td>
              <td data-column="Asks">
                <Asked graph={g} />
              </td>
              <td data-column="Answered">
                <Answered requests={g.requests} since={g.counted_since} />
              </td>
              <td data-column="p50">
                <span>{milliseconds(g.p50_ms)}</span>
              </td>
              <td data-column="p99">
                <span>{milliseconds(g.p99_ms)}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </List>
    </section>
  )
}

/** The endpoints that a graph asks, as links. */
export function Asked({ graph }: { graph: InferenceGraph }) {
  const names = askedBy(graph)
  if (names.length === 0) return <span className={css.soft}>none</span>
  return (
    <span>
      {names.map((name, i) => (
        <Fragment key={name}>
          {i > 0 && ', '}
          <Link href={`/endpoints/${encodeURIComponent(name)}`}>{name}</Link>
        </Fragment>
      ))}
    </span>
  )
}

/** How requests ended, and since when they are counted where that is not said elsewhere. */
export function Answered({ requests, since }: { requests: Record<string, number>; since?: string }) {
  const of = (outcome: string) => requests[outcome] ?? 0
  const failed = of('failed') + of('timeout') + of('shed')
  return (
    <span>
      {number(of('ok'))}
      {of('rejected') > 0 && <span className={css.second}>{number(of('rejected'))} rejected</span>}
      {failed > 0 && <span className={css.trouble}>{number(failed)} failed</span>}
      <Since time={since} />
    </span>
  )
}
