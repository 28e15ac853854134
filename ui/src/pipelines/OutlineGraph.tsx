import { BaseEdge, type Edge, type EdgeProps, Handle, type Node, type NodeProps, Position } from '@xyflow/react'
import { memo, useMemo, useState } from 'react'
import box from '../graph/Box.module.css'
import { betterDirection, type Direction, type Layout, layoutGraph, type Point } from '../graph/layout'
import { smoothPath } from '../graph/path'
import { sceneOf } from '../graph/scene'
import { arrowHead, SmallGraph, useWidth } from '../graph/SmallGraph'
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

const nodeTypes = { box: memo(OutlineBox) }
const edgeTypes = { arrow: Arrow }

interface Props {
  comparison: Comparison
  selected: string
  onSelect: (path: string) => void
}

/** The tasks of a version as boxes, or those of two versions with signs for what differs. */
export default function OutlineGraph({ comparison, selected, onSelect }: Props) {
  const frame = useWidth()
  const [, width] = frame
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
  const height = frameHeight(layout, width, window.innerHeight)
  return (
    <SmallGraph
      label="Graph of the pipeline"
      frame={frame}
      height={height}
      view={viewOf(layout, { width, height })}
      nodes={nodes}
      edges={edges}
      nodeTypes={nodeTypes}
      edgeTypes={edgeTypes}
      sparing={nodes.length > 200}
    >
      <Button icon="turn" aria-label={direction === 'LR' ? 'Lay out from top to bottom' : 'Lay out from left to right'} onClick={() => setTurned(direction === 'LR' ? 'TB' : 'LR')} />
    </SmallGraph>
  )
}

function toNodes({ graph, nodes }: Drawn, layout: Layout, shared: Shared): BoxType[] {
  return graph.boxes.flatMap(({ path, parent, open }) => {
    const place = layout.places.get(path)
    const node = nodes.get(path)
    if (!place || !node) return []
    return {
      id: path,
      type: 'box' as const,
      position: { x: place.x, y: place.y },
      width: place.width,
      height: place.height,
      ...(parent === undefined ? {} : { parentId: parent }),
      data: { ...shared, path, node, open },
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
      markerEnd: arrowHead(arrowColour[mark]),
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
    <div className={`${box.box} ${box.fill} ${css.box} ${css[node.mark]} ${node.group ? box.group : ''} ${open ? `${box.open} ${css.open}` : ''} ${selected === path ? css.selected : ''}`} data-path={path} data-mark={node.mark}>
      <Handle type="target" position={direction === 'LR' ? Position.Left : Position.Top} className={box.handle} />
      <Handle type="source" position={direction === 'LR' ? Position.Right : Position.Bottom} className={box.handle} />
      <div className={box.first}>
        {node.mark !== 'same' && <MarkSign mark={node.mark} />}
        <button type="button" className={`${box.name} ${css.name}`} title={name} aria-pressed={selected === path} aria-label={`${name}${node.mark === 'same' ? '' : `, ${node.mark}`}`} onClick={() => onSelect(selected === path ? '' : path)}>
          {name}
        </button>
        {node.group && (
          <button type="button" className={box.toggle} aria-expanded={open} aria-label={`Tasks of ${name}`} onClick={() => onToggle(path, !open)}>
            <Icon name="chevron" size={14} />
          </button>
        )}
      </div>
      <div className={box.second}>{describe(node, comparison)}</div>
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
