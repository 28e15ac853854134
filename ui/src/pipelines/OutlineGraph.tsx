import '@xyflow/react/dist/base.css'
import { BaseEdge, type Edge, type EdgeProps, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow, type ReactFlowInstance } from '@xyflow/react'
import { memo, type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { betterDirection, type Direction, type Layout, layoutGraph, type Point } from '../graph/layout'
import { smoothPath } from '../graph/path'
import frame from '../graph/RunGraph.module.css'
import { sceneOf } from '../graph/scene'
import { frameHeight, viewOf } from '../graph/viewport'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { type Drawn, draw } from './boxes'
import { type Comparison, type Mark, type Merged, loopText } from './diff'
import css from './OutlineGraph.module.css'
import { MarkSign } from './MarkSign'
import { arrowKey, routesOf } from './routes'

interface Shared extends Record<string, unknown> {
  comparison: Comparison
  selected: string
  direction: Direction
  onSelect: (path: string) => void
  onToggle: (path: string, open: boolean) => void
}

type BoxType = Node<Shared & { path: string; node: Merged; open: boolean }, 'box'>
type ArrowType = Edge<{ path: string; mark: Mark; middle: Point }, 'arrow'>
type Flow = ReactFlowInstance<BoxType, ArrowType>

const nodeTypes = { box: memo(OutlineBox) }
const edgeTypes = { arrow: Arrow }

interface Props {
  comparison: Comparison
  selected: string
  onSelect: (path: string) => void
}

/** The tasks of a version as boxes, or those of two versions with signs for what differs. */
export default function OutlineGraph({ comparison, selected, onSelect }: Props) {
  const host = useRef<HTMLDivElement>(null)
  const width = useWidth(host)
  const [choices, setChoices] = useState<ReadonlyMap<string, boolean>>(new Map())
  const drawn = useMemo(() => draw(comparison, choices, selected), [comparison, choices, selected])
  const shape = JSON.stringify([drawn.graph.boxes.map((b) => [b.path, b.parent ?? '', b.group, b.open]), drawn.graph.arrows])
  const [turned, setTurned] = useState<Direction>()
  const [first, setFirst] = useState<Direction>()
  if (first === undefined && width > 0) setFirst(betterDirection(drawn.graph, { width, height: window.innerHeight * 0.7 }))
  const direction = turned ?? first ?? 'LR'
  const layout = useMemo(
    () => layoutGraph(drawn.graph, direction),
    // The shape stands for the graph.
    // oxlint-disable-next-line react/exhaustive-deps
    [shape, direction],
  )
  const shared = useMemo<Shared>(
    () => ({ comparison, selected, direction, onSelect, onToggle: (path, open) => setChoices((old) => new Map(old).set(path, open)) }),
    [comparison, selected, direction, onSelect],
  )
  const nodes = useMemo(() => toNodes(drawn, layout, shared), [drawn, layout, shared])
  const edges = useMemo(() => toEdges(drawn, layout, direction), [drawn, layout, direction])
  const [flow, setFlow] = useState<Flow>()
  const height = frameHeight(layout, width, window.innerHeight)
  const view = () => viewOf(layout, { width, height })
  useEffect(() => {
    if (flow && width > 0) void flow.setViewport(view())
    // Moves the view when what is shown changed.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [flow, shape, direction, width, height])
  return (
    <div ref={host} className={frame.host} aria-label="Graph of the pipeline" role="group">
      <div style={{ height }}>
        {width > 0 && (
          <ReactFlow<BoxType, ArrowType>
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
            defaultViewport={view()}
          />
        )}
      </div>
      <div className={frame.tools}>
        <Button icon="plus" aria-label="Zoom in" onClick={() => void flow?.zoomIn()} />
        <Button icon="minus" aria-label="Zoom out" onClick={() => void flow?.zoomOut()} />
        <Button icon="fit" aria-label="Show the whole graph" onClick={() => void flow?.fitView({ padding: 0.05, maxZoom: 1 })} />
        <Button icon="turn" aria-label={direction === 'LR' ? 'Lay out from top to bottom' : 'Lay out from left to right'} onClick={() => setTurned(direction === 'LR' ? 'TB' : 'LR')} />
      </div>
    </div>
  )
}

function toNodes({ graph, nodes }: Drawn, layout: Layout, shared: Shared): BoxType[] {
  return graph.boxes.flatMap((box) => {
    const place = layout.places.get(box.path)
    const node = nodes.get(box.path)
    if (!place || !node) return []
    return {
      id: box.path,
      type: 'box' as const,
      position: { x: place.x, y: place.y },
      width: place.width,
      height: place.height,
      ...(box.parent === undefined ? {} : { parentId: box.parent }),
      data: { ...shared, path: box.path, node, open: box.open },
    }
  })
}

const arrowColour: Record<Mark, string> = { same: 'var(--border-strong)', added: 'var(--succeeded)', removed: 'var(--failed)', changed: 'var(--border-strong)' }

function toEdges({ graph, marks }: Drawn, layout: Layout, direction: Direction): ArrowType[] {
  const routes = routesOf(graph, sceneOf(graph, layout), direction)
  return graph.arrows.map(({ from, to }) => {
    const key = arrowKey(from, to)
    const mark = marks.get(key) ?? 'same'
    const route = routes.get(key) ?? []
    return {
      id: key,
      type: 'arrow' as const,
      source: from,
      target: to,
      data: { path: smoothPath(route, direction), mark, middle: middleOf(route) },
      markerEnd: { type: MarkerType.ArrowClosed, width: 14, height: 14, color: arrowColour[mark] },
      zIndex: 1,
    }
  })
}

function middleOf(route: readonly Point[]): Point {
  const a = route[Math.floor((route.length - 1) / 2)]
  const b = route[Math.ceil((route.length - 1) / 2)]
  return a && b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : { x: 0, y: 0 }
}

/** An arrow; one that came or went has its sign in the middle, and one that went is dashed. */
function Arrow({ data, markerEnd }: EdgeProps<ArrowType>) {
  const mark = data?.mark ?? 'same'
  return (
    <>
      <BaseEdge
        path={data?.path ?? ''}
        style={{ stroke: arrowColour[mark], ...(mark === 'removed' ? { strokeDasharray: '5 4' } : {}), ...(mark === 'same' ? {} : { strokeWidth: 2 }) }}
        {...(markerEnd ? { markerEnd } : {})}
      />
      {(mark === 'added' || mark === 'removed') && data && (
        <g transform={`translate(${data.middle.x} ${data.middle.y})`} data-mark={mark}>
          <circle r={8} fill={arrowColour[mark]} />
          <path d={mark === 'added' ? 'M-4 0h8M0 -4v8' : 'M-4 0h8'} stroke="var(--surface)" strokeWidth={2} />
        </g>
      )}
    </>
  )
}

function OutlineBox({ data }: NodeProps<BoxType>) {
  const { node, path, open, selected, direction, comparison, onSelect, onToggle } = data
  const shown = node.after ?? node.before
  const name = shown?.display_name ?? node.name
  return (
    <div className={`${css.box} ${css[node.mark]} ${node.group ? css.group : ''} ${open ? css.open : ''} ${selected === path ? css.selected : ''}`} data-path={path} data-mark={node.mark}>
      <Handle type="target" position={direction === 'LR' ? Position.Left : Position.Top} className={css.handle} />
      <Handle type="source" position={direction === 'LR' ? Position.Right : Position.Bottom} className={css.handle} />
      <div className={css.first}>
        {node.mark !== 'same' && <MarkSign mark={node.mark} />}
        <button type="button" className={css.name} title={name} aria-pressed={selected === path} aria-label={`${name}${node.mark === 'same' ? '' : `, ${node.mark}`}`} onClick={() => onSelect(selected === path ? '' : path)}>
          {name}
        </button>
        {node.group && (
          <button type="button" className={css.toggle} aria-expanded={open} aria-label={`Tasks of ${name}`} onClick={() => onToggle(path, !open)}>
            <Icon name="chevron" size={14} />
          </button>
        )}
      </div>
      <div className={css.second}>{describe(node, comparison)}</div>
    </div>
  )
}

/** "loop over words, 3 tasks", "python:3.12" */
function describe(node: Merged, comparison: Comparison): string {
  const shown = node.after ?? node.before
  const component = (node.after ? comparison.after : comparison.before).components[shown?.component ?? '']
  const words = []
  if (shown?.loop) words.push(`loop ${loopText(shown)}`)
  if (shown?.condition) words.push('condition')
  if (shown?.always) words.push('runs at the end')
  if (node.group) words.push(count(component?.tasks?.length ?? 0, 'task'))
  if (component?.kind === 'importer') words.push('importer')
  if (component?.step) words.push(component.step.image)
  return words.join(' · ')
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
