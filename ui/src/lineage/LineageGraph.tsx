import { BaseEdge, type Edge, type EdgeProps, Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { memo, useEffect, useMemo, useRef } from 'react'
import type { LineageNode } from '../api/types'
import box from '../graph/Box.module.css'
import { smoothPath } from '../graph/path'
import { arrowHead, SmallGraph, useWidth } from '../graph/SmallGraph'
import { around } from '../graph/viewport'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { detailOf, isSource, kindIcons, kindWords, nameOf, pageOf, type Shown } from './graph'
import { boxSize, place } from './layout'
import { Aliases } from './LineageList'
import css from './LineageView.module.css'

type Open = (id: string, way: 'up' | 'down') => void
type Box = Node<{ node: LineageNode; root: boolean; source: boolean; dim: boolean; onOpen: Open }, 'box'>
type Arrow = Edge<{ path: string; label: string }, 'arrow'>

const BoxNode = memo(function BoxNode({ data: { node, root, source, dim, onOpen } }: NodeProps<Box>) {
  const name = nameOf(node)
  return (
    <div className={`${box.box} ${box.fill} ${css.box} ${root ? css.root : ''} ${source ? css.source : ''} ${dim ? css.dim : ''}`} data-node={node.id} data-kind={node.kind}>
      <Handle type="target" position={Position.Left} className={box.handle} />
      <Handle type="source" position={Position.Right} className={box.handle} />
      <div className={box.first}>
        <Icon name={source ? 'data' : kindIcons[node.kind]} />
        <Link href={pageOf(node)} className={box.name} title={name} aria-label={`${name}, ${source ? 'data, ' : ''}${kindWords[node.kind]}`} aria-current={root || undefined}>
          {name}
        </Link>
        <Aliases node={node} />
      </div>
      <div className={box.second} title={detailOf(node)}>
        {detailOf(node)}
      </div>
      {node.more_up && <button type="button" className={`${css.more} ${css.before}`} aria-label={`Show what ${name} was made of`} onClick={() => onOpen(node.id, 'up')}><Icon name="plus" size={12} /></button>}
      {node.more_down && <button type="button" className={`${css.more} ${css.after}`} aria-label={`Show what came of ${name}`} onClick={() => onOpen(node.id, 'down')}><Icon name="plus" size={12} /></button>}
    </div>
  )
})

function ArrowEdge({ data, markerEnd }: EdgeProps<Arrow>) {
  return <BaseEdge path={data?.path ?? ''} {...(markerEnd ? { markerEnd } : {})} />
}

const nodeTypes = { box: BoxNode }
const edgeTypes = { arrow: ArrowEdge }

/** The zoom below which names cannot be read. */
const smallest = 0.78

interface Props {
  shown: Shown
  /** The nodes that match what is looked for; undefined when nothing is. */
  found: readonly LineageNode[] | undefined
  onOpen: Open
}

/** The graph from left to right. Boxes are links, in the order in which things came to be. */
export default function LineageGraph({ shown, found, onOpen }: Props) {
  const frame = useWidth()
  const [, width] = frame
  const placed = useMemo(() => place(shown.nodes, shown.edges), [shown])
  const latest = useRef(onOpen)
  useEffect(() => {
    latest.current = onOpen
  })
  const hits = useMemo(() => found && new Set(found.map((n) => n.id)), [found])
  const nodes = useMemo(
    () =>
      shown.nodes.map((node): Box => ({
        id: node.id,
        type: 'box',
        position: placed.places.get(node.id) ?? { x: 0, y: 0 },
        ...boxSize,
        data: { node, root: node.id === shown.root, source: isSource(node, shown.edges), dim: hits !== undefined && !hits.has(node.id), onOpen: (id, way) => latest.current(id, way) },
      })),
    [shown, placed, hits],
  )
  const edges = useMemo(
    () =>
      shown.edges.map((e): Arrow => ({
        id: `${e.from} ${e.to}`,
        type: 'arrow',
        source: e.from,
        target: e.to,
        data: { path: smoothPath(placed.routes.get(`${e.from} ${e.to}`) ?? [], 'LR'), label: e.label ?? '' },
        markerEnd: arrowHead('var(--border-strong)'),
      })),
    [shown, placed],
  )
  const height = Math.round(Math.min(window.innerHeight * 0.65, Math.max(240, placed.height + 80)))
  const firstHit = found?.[0]?.id
  // The whole graph, unless its words would be too small to read: then what is looked for, or the node it is about.
  const whole = Math.min(1, width / (placed.width + 60), height / (placed.height + 60))
  const at = placed.places.get(firstHit ?? shown.root) ?? { x: 0, y: 0 }
  const view = around(placed, { width, height }, Math.max(firstHit === undefined ? smallest : 0.9, whole), { ...at, ...boxSize })
  return (
    <div className={css.graph}>
      <SmallGraph label="Graph of the lineage" frame={frame} height={height} view={view} nodes={nodes} edges={edges} nodeTypes={nodeTypes} edgeTypes={edgeTypes}>
        <span className={css.legend}>
          <Icon name="data" size={14} /> data
          <Icon name="file" size={14} /> artifact
          <Icon name="step" size={14} /> task or run
          <Icon name="model" size={14} /> model
        </span>
      </SmallGraph>
    </div>
  )
}
