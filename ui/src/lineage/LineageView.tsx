import { useMemo } from 'react'
import { useLineage, useMoreLineage, type Way } from '../api/artifacts'
import type { LineageNode } from '../api/types'
import { count } from '../format/value'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { Loading, Notice } from '../parts/Notice'
import { Failed } from '../parts/Page'
import { detailOf, matches, merge, nameOf, pageOf, type Shown, sourcesOf } from './graph'
import { LineageList } from './LineageList'
import css from './LineageView.module.css'

const LineageGraph = late('the graph', () => import('./LineageGraph'))

const ways: readonly (readonly [Way, string])[] = [
  ['both', 'Both ways'],
  ['up', 'What it was made of'],
  ['down', 'What came of it'],
]

/**
 * What a thing was made of and what came of it: "artifact:ID", "task:ID", "tracked-run:ID", "model:NAME/VERSION" and so on. The address holds
 * what is looked for, which way, what was opened, and whether it is a graph or a list.
 */
export function LineageView({ node }: { node: string }) {
  const [search, change] = useAddress()
  const way = ways.find(([w]) => w === search.get('way'))?.[0] ?? 'both'
  const lineage = useLineage(node, way)
  const opened = search.getAll('open')
  const more = useMoreLineage(opened)
  const shown = useMemo(() => lineage.data && merge(lineage.data, more.answers), [lineage.data, more.answers])
  if (lineage.error && !lineage.data) return <Failed error={lineage.error} what="lineage" />
  if (!shown) return <Loading what="the lineage" />
  const narrow = window.matchMedia('(max-width: 640px)').matches
  const as = search.get('as') ?? (narrow ? 'list' : 'graph')
  const find = search.get('find') ?? ''
  const found = find ? shown.nodes.filter((n) => matches(n, find)) : []
  const onOpen = (id: string, to: 'up' | 'down') => change({ open: [...opened, `${to} ${id}`] })
  return (
    <section className={css.lineage} aria-label="Lineage">
      <Sources shown={shown} />
      <div className={css.tools}>
        <label>
          <span className="visually-hidden">Which way</span>
          <select value={way} onChange={(e) => change({ way: e.target.value === 'both' ? undefined : e.target.value, open: [] })}>
            {ways.map(([value, word]) => (
              <option key={value} value={value}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <input type="search" className={css.search} aria-label="Find in the lineage" placeholder="Find in the lineage…" value={find} onChange={(e) => change({ find: e.target.value })} />
        <span className={css.count} role="status">
          {find ? `${found.length} of ${count(shown.nodes.length, 'node')} match` : count(shown.nodes.length, 'node')}
        </span>
        <span className={css.space} />
        <span role="group" aria-label="Show as" className={css.switch}>
          <Button aria-pressed={as === 'graph'} onClick={() => change({ as: 'graph' })}>
            Graph
          </Button>
          <Button aria-pressed={as === 'list'} onClick={() => change({ as: 'list' })}>
            List
          </Button>
        </span>
      </div>
      {shown.truncated && <Notice tone="warning">The graph has more nodes than are shown at once. Look one way only, or open the node you are after.</Notice>}
      {more.error && (
        <Notice tone="danger" title="More could not be read">
          {more.error.message}
        </Notice>
      )}
      {as === 'list' ? (
        <LineageList shown={shown} find={find} onOpen={onOpen} />
      ) : (
        <LineageGraph shown={shown} found={find ? found : undefined} onOpen={onOpen} />
      )}
    </section>
  )
}

/** The answer to what one mostly asks: which data was it made from? */
function Sources({ shown }: { shown: Shown }) {
  const sources = sourcesOf(shown)
  if (sources.length === 0) return null
  return (
    <div className={css.sources}>
      <h3>Made from this data</h3>
      <ul>
        {sources.slice(0, 12).map((node) => (
          <li key={node.id}>
            <Icon name="data" />
            <Source node={node} />
          </li>
        ))}
        {sources.length > 12 && <li>{`and ${sources.length - 12} more`}</li>}
      </ul>
    </div>
  )
}

function Source({ node }: { node: LineageNode }) {
  return (
    <>
      <Link href={pageOf(node)}>
        <bdi>{nameOf(node)}</bdi>
      </Link>
      <span>{detailOf(node)}</span>
    </>
  )
}
