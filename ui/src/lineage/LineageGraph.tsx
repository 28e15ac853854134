import '@xyflow/react/dist/base.css'
import { BaseEdge, type Edge, type EdgeProps, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow, type ReactFlowInstance } from '@xyflow/react'
import { memo, useEffect, useMemo, useRef, useState } from 'react'
import { Link } from 'wouter'
import type { LineageNode } from '../api/types'
import { smoothPath } from '../graph/path'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { detailOf, isSource, kindIcons, kindWords, nameOf, pageOf, type Shown } from './graph'
import { boxSize, place, viewAt } from './layout'
import { Aliases } from './LineageList'
import css from './LineageView.module.css'

type Open = (id: string, way: 'up' | 'down') => void
type Box = Node<{ node: LineageNode; root: boolean; source: boolean; dim: boolean; onOpen: Open }, 'box'>
type Arrow = Edge<{ path: string; label: string }, 'arrow'>

const BoxNode = memo(function BoxNode({ data: { node, root, source, dim, onOpen } }: NodeProps<Box>) {
  const name = nameOf(node)
  return (
    <div className={`${css.box} ${root ? css.root : ''} ${source ? css.source : ''} ${dim ? css.dim : ''}`} data-node={node.id} data-kind={node.kind}>
      <Handle type="target" position={Position.Left} className={css.handle} />
      <Handle type="source" position={Position.Right} className={css.handle} />
      <div className={css.first}>
        <Icon name={source ? 'data' : kindIcons[node.kind]} />
        <Link href={pageOf(node)} className={css.link} title={name} aria-label={`${name}, ${source ? 'data, ' : ''}${kindWords[node.kind]}`} aria-current={root || undefined}>
          {name}
        </Link>
        <Aliases node={node} />
      </div>
      <div className={css.second} title={detailOf(node)}>
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
  const host = useRef<HTMLDivElement>(null)
  const [flow, setFlow] = useState<ReactFlowInstance<Box, Arrow>>()
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
        markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: 'var(--border-strong)' },
      })),
    [shown, placed],
  )
  const height = Math.round(Math.min(window.innerHeight * 0.65, Math.max(240, placed.height + 80)))
  const firstHit = found?.[0]?.id
  useEffect(() => {
    if (!flow) return
    // The whole graph, unless its words would be too small to read: then what is looked for, or the node it is about.
    const frame = { width: host.current?.clientWidth ?? 0, height }
    const whole = Math.min(1, frame.width / (placed.width + 60), frame.height / (placed.height + 60))
    const at = placed.places.get(firstHit ?? shown.root) ?? { x: 0, y: 0 }
    void flow.setViewport(viewAt(placed, frame, at, firstHit === undefined ? Math.max(smallest, whole) : Math.max(0.9, whole)))
  }, [flow, placed, firstHit, height, shown.root])
  return (
    <div ref={host} className={css.graph} role="group" aria-label="Graph of the lineage">
      <div style={{ height }}>
        <ReactFlow<Box, Arrow>
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          edgeTypes={edgeTypes}
          onInit={setFlow}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          minZoom={0.1}
          maxZoom={1.5}
        />
      </div>
      <div className={css.zoom}>
        <Button icon="plus" aria-label="Zoom in" onClick={() => void flow?.zoomIn()} />
        <Button icon="minus" aria-label="Zoom out" onClick={() => void flow?.zoomOut()} />
        <Button icon="fit" aria-label="Show the whole graph" onClick={() => void flow?.fitView({ padding: 0.06, maxZoom: 1 })} />
        <span className={css.legend}>
          <Icon name="data" size={14} /> data
          <Icon name="file" size={14} /> artifact
          <Icon name="step" size={14} /> task or run
          <Icon name="model" size={14} /> model
        </span>
      </div>
    </div>
  )
}
