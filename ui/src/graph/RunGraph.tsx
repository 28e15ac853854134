import '@xyflow/react/dist/base.css'
import { BaseEdge, type Edge, type EdgeProps, MarkerType, ReactFlow, type ReactFlowInstance } from '@xyflow/react'
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { Button } from '../parts/Button'
import type { ViewProps } from '../run/RunViews'
import { BoxNode, type BoxNodeType, type Shared } from './BoxNode'
import { arrowKey, betterDirection, type Direction, type Layout, layoutGraph, type Point, smoothPath } from './layout'
import { buildGraph, type Graph, shapeOf } from './model'
import css from './RunGraph.module.css'
import { cornerOf, frameHeight, viewOf } from './viewport'

type ArrowType = Edge<{ path: string }, 'arrow'>

function ArrowEdge({ data, markerEnd }: EdgeProps<ArrowType>) {
  return <BaseEdge path={data?.path ?? ''} {...(markerEnd ? { markerEnd } : {})} />
}

const nodeTypes = { box: BoxNode }
const edgeTypes = { arrow: ArrowEdge }

type Flow = ReactFlowInstance<BoxNodeType, ArrowType>

/** The tasks as boxes and their dependencies as arrows. It is laid out again only when its shape changes. */
export default function RunGraph({ tree, choices, onChoose, selected }: ViewProps) {
  const host = useRef<HTMLDivElement>(null)
  const width = useWidth(host)
  const graph = useMemo(() => buildGraph(tree, choices), [tree, choices])
  const shape = shapeOf(graph)
  const [turned, setTurned] = useState<Direction>()
  const direction = useFirstDirection(graph, width, turned)
  const layout = useMemo(
    () => layoutGraph(graph, direction),
    // The shape stands for the graph: a change of states alone moves nothing.
    // oxlint-disable-next-line react/exhaustive-deps
    [shape, direction],
  )
  const nodes = useMemo(
    () => toNodes(graph, layout, { tree, choices, onChoose, selected, direction }),
    [graph, layout, tree, choices, onChoose, selected, direction],
  )
  const edges = useMemo(() => toEdges(graph, layout, direction), [graph, layout, direction])
  const [flow, setFlow] = useState<Flow>()
  const height = frameHeight(layout, width, window.innerHeight)
  const fit = () => void flow?.setViewport(viewOf(layout, graph, { width, height }, selected))
  useEffect(() => {
    if (flow && width > 0) fit()
    // Moves the view when what is shown changed, not whenever a task did.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [flow, shape, direction, width, height, selected])
  return (
    <div ref={host} className={css.host} aria-label="Graph of the tasks" role="group">
      <div style={{ height }}>
        {width > 0 && (
          <ReactFlow<BoxNodeType, ArrowType>
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
            onlyRenderVisibleElements={nodes.length > 200}
            defaultViewport={viewOf(layout, graph, { width, height }, selected)}
          />
        )}
      </div>
      <div className={css.tools}>
        <Button icon="plus" aria-label="Zoom in" onClick={() => void flow?.zoomIn()} />
        <Button icon="minus" aria-label="Zoom out" onClick={() => void flow?.zoomOut()} />
        <Button icon="fit" aria-label="Show the whole graph" onClick={() => void flow?.fitView({ padding: 0.05, maxZoom: 1 })} />
        <Button
          icon="turn"
          aria-label={direction === 'LR' ? 'Lay out from top to bottom' : 'Lay out from left to right'}
          onClick={() => setTurned(direction === 'LR' ? 'TB' : 'LR')}
        />
      </div>
    </div>
  )
}

function toNodes(graph: Graph, layout: Layout, shared: Shared): BoxNodeType[] {
  return graph.boxes.flatMap((box) => {
    const place = layout.places.get(box.path)
    if (!place) return []
    return {
      id: box.path,
      type: 'box' as const,
      position: { x: place.x, y: place.y },
      width: place.width,
      height: place.height,
      ...(box.parent === undefined ? {} : { parentId: box.parent }),
      data: { ...shared, box },
    }
  })
}

function toEdges(graph: Graph, layout: Layout, direction: Direction): ArrowType[] {
  const parents = new Map(graph.boxes.map((b) => [b.path, b.parent]))
  return graph.arrows.map(({ from, to }) => ({
    id: arrowKey(from, to),
    type: 'arrow',
    source: from,
    target: to,
    data: { path: smoothPath(routeOf(graph, layout, arrowKey(from, to), parents.get(from)), direction) },
    markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: 'var(--border-strong)' },
    zIndex: 1,
  }))
}

/** The way of an arrow, counted from the corner of the whole graph. */
function routeOf(graph: Graph, layout: Layout, key: string, parent: string | undefined): Point[] {
  const corner = cornerOf(layout, graph, parent)
  return (layout.routes.get(key) ?? []).map((p) => ({ x: p.x + corner.x, y: p.y + corner.y }))
}

/** The direction that suited the frame when the graph was first shown; it stays unless the reader turns it. */
function useFirstDirection(graph: Graph, width: number, turned: Direction | undefined): Direction {
  const [first, setFirst] = useState<Direction>()
  if (first === undefined && width > 0) setFirst(betterDirection(graph, { width, height: window.innerHeight * 0.7 }))
  return turned ?? first ?? 'LR'
}

function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (!element.current) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.round(entry.contentRect.width))
    })
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element])
  return width
}
