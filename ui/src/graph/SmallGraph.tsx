import '@xyflow/react/dist/base.css'
import { type Edge, type EdgeTypes, MarkerType, type Node, type NodeTypes, ReactFlow, type ReactFlowInstance } from '@xyflow/react'
import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react'
import { Button } from '../parts/Button'
import css from './SmallGraph.module.css'
import type { View } from './viewport'

interface Props<N extends Node, E extends Edge> {
  label: string
  /** What useWidth gave. Nothing is drawn before the width is known. */
  frame: [host: RefObject<HTMLDivElement | null>, width: number]
  height: number
  /** Where to look; when it changes, the graph is moved there. */
  view: View
  nodes: N[]
  edges: E[]
  nodeTypes: NodeTypes
  edgeTypes: EdgeTypes
  /** Leaves out boxes that are not in sight. */
  sparing?: boolean
  /** What stands beside the buttons for zooming. */
  children?: ReactNode
}

/** A graph of some hundred boxes that is looked at, moved and zoomed; what can be done with a box is the box's business. */
export function SmallGraph<N extends Node, E extends Edge>({ label, frame: [host, width], height, view: { x, y, zoom }, sparing = false, children, ...graph }: Props<N, E>) {
  const [flow, setFlow] = useState<ReactFlowInstance<N, E>>()
  useEffect(() => {
    void flow?.setViewport({ x, y, zoom })
  }, [flow, x, y, zoom])
  return (
    <div ref={host} className={css.host} role="group" aria-label={label}>
      <div style={{ height }}>
        {width > 0 && (
          <ReactFlow<N, E>
            {...graph}
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
            onlyRenderVisibleElements={sparing}
            defaultViewport={{ x, y, zoom }}
          />
        )}
      </div>
      <div className={css.tools}>
        <Button icon="plus" aria-label="Zoom in" onClick={() => void flow?.zoomIn()} />
        <Button icon="minus" aria-label="Zoom out" onClick={() => void flow?.zoomOut()} />
        <Button icon="fit" aria-label="Show the whole graph" onClick={() => void flow?.fitView({ padding: 0.05, maxZoom: 1 })} />
        {children}
      </div>
    </div>
  )
}

/** The head of an arrow. */
export function arrowHead(color: string) {
  return { type: MarkerType.ArrowClosed, width: 14, height: 14, color }
}

/** An element and how wide it is; 0 until that is known. */
export function useWidth(): [RefObject<HTMLDivElement | null>, number] {
  const element = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (!element.current) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.round(entry.contentRect.width))
    })
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return [element, width]
}
