import type { LineageNode } from '../api/types'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { List } from '../parts/List'
import { Nothing } from '../parts/Notice'
import { pageCss } from '../parts/Page'
import { detailOf, isSource, kindIcons, lineageOf, matches, nameOf, pageOf, type Shown } from './graph'
import css from './LineageView.module.css'

interface Props {
  shown: Shown
  find: string
  onOpen: (id: string, way: 'up' | 'down') => void
}

/** The same as the graph, in words: from what came first to what came last, each with what went into it. */
export function LineageList({ shown, find, onOpen }: Props) {
  const byId = new Map(shown.nodes.map((n) => [n.id, n]))
  const nodes = find ? shown.nodes.filter((n) => matches(n, find)) : shown.nodes
  return (
    <div className={css.scroll}>
      <List caption="Lineage, from what came first to what came last" columns={['Node', 'Made of', { name: 'Steps away', optional: true }, { name: 'More', unseen: true }]} className={css.list}>
        <tbody>
          {nodes.map((node) => (
            <tr key={node.id} data-node={node.id} className={node.id === shown.root ? css.rootRow : undefined}>
              <th scope="row">
                <span className={css.named}>
                  <Icon name={isSource(node, shown.edges) ? 'data' : kindIcons[node.kind]} />
                  <Link href={pageOf(node)}>{nameOf(node)}</Link>
                </span>
                <span className={css.detail}>{detailOf(node)}</span>
                <Aliases node={node} />
              </th>
              <td>
                {shown.edges
                  .filter((e) => e.to === node.id)
                  .map((e) => {
                    const from = byId.get(e.from)
                    return (
                      from && (
                        <div key={e.from}>
                          {nameOf(from)}
                          {e.label && <span className={css.detail}>{` as ${e.label}`}</span>}
                        </div>
                      )
                    )
                  })}
              </td>
              <td className={pageCss.optional}>{node.id === shown.root ? 'this' : node.level < 0 ? `${-node.level} before` : `${node.level} after`}</td>
              <td>
                <span className={css.buttons}>
                  {node.more_up && <Button onClick={() => onOpen(node.id, 'up')}>{`Show what ${nameOf(node)} was made of`}</Button>}
                  {node.more_down && <Button onClick={() => onOpen(node.id, 'down')}>{`Show what came of ${nameOf(node)}`}</Button>}
                  {node.id !== shown.root && (
                    <Link href={lineageOf(node.id)} aria-label={`Lineage of ${nameOf(node)}`}>
                      Lineage
                    </Link>
                  )}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </List>
      {nodes.length === 0 && <Nothing>Nothing here matches.</Nothing>}
    </div>
  )
}

export function Aliases({ node }: { node: LineageNode }) {
  return (
    <>
      {(node.aliases ?? []).map((a) => (
        <span key={a} className={css.alias}>
          @{a}
        </span>
      ))}
    </>
  )
}
