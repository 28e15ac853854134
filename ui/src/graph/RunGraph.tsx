import { type FocusEvent, type RefObject, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import type { Task } from '../api/types'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { stateWord } from '../parts/State'
import { taskHref, taskHrefs } from '../run/taskHref'
import type { ViewProps } from '../run/RunViews'
import { useShownTheme } from '../shell/theme'
import { BoxNode, type GroupShown } from './BoxNode'
import { Camera, type Sight } from './camera'
import { listen } from './gestures'
import { betterDirection, type Direction, layoutGraph } from './layout'
import { MarksLegend } from './MarksLegend'
import { type Box, buildGraph, type Graph, sameShape } from './model'
import css from './RunGraph.module.css'
import { hasWorker, layOutBeside, manyBoxes } from './remote'
import { type Scene, sceneOf } from './scene'
import { groupCounts } from './tree'
import { frameHeight, viewFrom, viewOf, viewText } from './viewport'

/** The tasks as boxes and their dependencies as arrows. It is laid out again only when its shape changes. */
export default function RunGraph(props: ViewProps) {
  const { tree, choices } = props
  const host = useRef<HTMLDivElement>(null)
  const width = useWidth(host)
  const graph = useMemo(() => buildGraph(tree, choices), [tree, choices])
  const shape = useShape(graph)
  const direction = useDirection(shape, width)
  const placed = usePlaced(shape, direction)
  return (
    <div ref={host} className={css.host}>
      {placed && <Stage {...props} boxes={placed.shape === shape ? graph.boxes : placed.shape.boxes} scene={placed.scene} direction={placed.direction} width={width} />}
    </div>
  )
}

/** A graph that is laid out. */
interface Placed {
  shape: Graph
  direction: Direction
  scene: Scene
}

/** Lays a graph out: a small one at once, a large one beside the page. Until that is there the one before is shown. */
function usePlaced(shape: Graph, direction: Direction | undefined): Placed | undefined {
  const large = shape.boxes.length > manyBoxes && hasWorker()
  const near = useMemo(() => (direction && !large ? { shape, direction, scene: sceneOf(shape, layoutGraph(shape, direction)) } : undefined), [shape, direction, large])
  const [last, setLast] = useState<Placed>()
  if (near && near !== last) setLast(near)
  useEffect(() => {
    if (!large || !direction) return undefined
    let wanted = true
    void layOutBeside(shape, direction).then((scene) => {
      if (wanted) setLast({ shape, direction, scene })
    })
    return () => {
      wanted = false
    }
  }, [shape, direction, large])
  return near ?? last
}

/** The first of the graphs that are laid out alike. */
function useShape(graph: Graph): Graph {
  const [shape, setShape] = useState(graph)
  if (shape === graph || sameShape(shape, graph)) return shape
  setShape(graph)
  return graph
}

/** The direction in the address, else the one that suited the frame when the graph was first shown. */
function useDirection(graph: Graph, width: number): Direction | undefined {
  const [address] = useAddress()
  const [first, setFirst] = useState<Direction>()
  const asked = address.get('dir')
  if (asked === 'LR' || asked === 'TB') return width > 0 ? asked : undefined
  if (first === undefined && width > 0) setFirst(betterDirection(graph, { width, height: window.innerHeight * 0.7 }))
  return first
}

interface StageProps extends ViewProps {
  boxes: readonly Box[]
  scene: Scene
  direction: Direction
  width: number
}

const nothing: Sight = { boxes: [], words: true }

/** The part of the graph that is in sight, and what moves it. */
function Stage(props: StageProps) {
  const { boxes, scene, direction, width, selected, tree } = props
  const frame = useMemo(() => ({ width, height: frameHeight(scene, width, window.innerHeight) }), [scene, width])
  const [address, change] = useAddress()
  const { stage, canvas, layer, camera, sight } = useCamera((text) => change({ at: text }))
  const hrefOf = useMemo(() => taskHrefs(address), [address])
  const theme = useShownTheme()
  useLayoutEffect(() => camera.current?.show({ scene, boxes, direction, selected }, frame), [camera, scene, boxes, direction, selected, frame])
  useEffect(() => camera.current?.recolour(), [camera, theme])
  const toggle = useSteadyView(props, camera, frame, address.get('at'))
  const { onHover, onPress } = usePointing(props, camera)
  useEffect(() => {
    const it = camera.current
    if (!stage.current || !it) return undefined
    return listen(stage.current, {
      pan: (dx, dy) => it.pan(dx, dy),
      zoom: (factor, at) => it.zoom(factor, at),
      fit: () => it.fit(),
      press: onPress,
      hover: onHover,
    })
  }, [stage, camera, onPress, onHover])
  const bringIn = (e: FocusEvent) => {
    const place = scene.places[scene.index.get((e.target.closest('[data-path]') as HTMLElement | null)?.dataset.path ?? '') ?? -1]
    if (place && e.target.matches(':focus-visible')) camera.current?.bringIn(place)
    e.currentTarget.scrollTo(0, 0)
  }
  return (
    <>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex, jsx-a11y/no-noninteractive-element-interactions -- it is moved with the keyboard */}
      <div ref={stage} className={css.stage} style={{ height: frame.height }} tabIndex={0} role="group" aria-label="Graph of the tasks" aria-describedby="graph-keys" onFocus={bringIn}>
        <canvas ref={canvas} className={css.canvas} aria-hidden="true" />
        <div ref={layer} className={css.layer}>
          {sight.boxes.map((i) => (
            <Shown key={boxes[i]?.path ?? i} box={boxes[i]} place={scene.places[i]} tree={tree} selected={selected} hrefOf={hrefOf} onToggle={toggle} />
          ))}
        </div>
        <p id="graph-keys" className="visually-hidden">
          Arrow keys move the graph, plus and minus zoom it, 0 shows all of it.
        </p>
      </div>
      <div className={css.tools}>
        <Button icon="plus" aria-label="Zoom in" onClick={() => camera.current?.zoom(1.25)} />
        <Button icon="minus" aria-label="Zoom out" onClick={() => camera.current?.zoom(0.8)} />
        <Button icon="fit" aria-label="Show the whole graph" onClick={() => camera.current?.fit()} />
        <Button
          icon="turn"
          aria-label={direction === 'LR' ? 'Lay out from top to bottom' : 'Lay out from left to right'}
          onClick={() => change({ dir: direction === 'LR' ? 'TB' : 'LR', at: undefined })}
        />
        {!sight.words && <MarksLegend />}
      </div>
    </>
  )
}

interface ShownProps {
  box: Box | undefined
  place: Scene['places'][number] | undefined
  tree: StageProps['tree']
  selected: string | undefined
  hrefOf: (task: Task) => string
  onToggle: (path: string, open: boolean) => void
}

function Shown({ box, place, tree, selected, hrefOf, onToggle }: ShownProps) {
  if (!box || !place) return null
  const { task, open, iteration } = box
  const group: GroupShown | undefined = box.group ? { open, iteration, counts: groupCounts(tree, task), onToggle } : undefined
  const chosen = selected === box.path || (iteration !== undefined && selected === iteration.path)
  return <BoxNode task={task} place={place} href={hrefOf(task)} chosen={chosen} group={group} />
}

/** Makes the camera when the page is there, and gives what it has in sight. */
function useCamera(onRest: (text: string) => void) {
  const stage = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const layer = useRef<HTMLDivElement>(null)
  const camera = useRef<Camera>(undefined)
  const [sight, setSight] = useState(nothing)
  const rest = useLatest(onRest)
  useLayoutEffect(() => {
    if (!stage.current || !canvas.current || !layer.current) return undefined
    const it = new Camera({ host: stage.current, canvas: canvas.current, layer: layer.current }, setSight, (view) => rest.current(viewText(view, it.frame)))
    camera.current = it
    return () => it.close()
  }, [rest])
  return { stage, canvas, layer, camera, sight }
}

/**
 * Keeps the view where the reader left it: an opened group stays where it was, a change of the frame keeps what is in its middle.
 * Until the reader moves it, the view is the one of the address, or follows the selected task.
 */
function useSteadyView({ scene, boxes, selected, choices, onChoose }: StageProps, camera: RefObject<Camera | undefined>, frame: Frame, at: string | null) {
  const last = useRef<{ scene: Scene; frame: Frame; selected: string | undefined }>(undefined)
  const anchor = useRef<string>(undefined)
  useLayoutEffect(() => {
    const it = camera.current
    const before = last.current
    if (!it) return
    last.current = { scene, frame, selected }
    const place = selected === undefined ? undefined : scene.places[scene.index.get(selected) ?? -1]
    const first = place ?? (scene.places.length > manyBoxes ? scene.places[Math.max(0, boxes.findIndex((box) => box.task.state === 'FAILED'))] : undefined)
    const asked = before ? undefined : viewFrom(at, scene, frame)
    const held = before && anchorOf(before.scene, scene, anchor.current)
    anchor.current = undefined
    if (asked) {
      it.go(asked)
      it.touched = true
    } else if (held) {
      it.go({ ...it.view, x: it.view.x - held.dx * it.view.zoom, y: it.view.y - held.dy * it.view.zoom })
    } else if (!it.touched) it.go(viewOf(scene, frame, first))
    else if (before && before.frame !== frame) {
      it.go({ ...it.view, x: it.view.x + (frame.width - before.frame.width) / 2, y: it.view.y + (frame.height - before.frame.height) / 2 })
    }
    if (place && before && (before.selected !== selected || !before.scene.index.has(selected ?? ''))) it.reveal(place)
    if (!before) it.now()
    // The address is read once: afterwards it follows the view.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [camera, scene, frame, selected])
  const latest = useLatest((path: string, open: boolean) => {
    anchor.current = path
    if (camera.current) camera.current.touched = true
    onChoose({ ...choices, open: new Map(choices.open).set(path, open) })
  })
  return useCallback((path: string, open: boolean) => latest.current(path, open), [latest])
}

type Frame = { width: number; height: number }

/** How far a box has moved from one scene to the next. */
function anchorOf(before: Scene, after: Scene, path: string | undefined): { dx: number; dy: number } | undefined {
  if (before === after || path === undefined) return undefined
  const old = before.places[before.index.get(path) ?? -1]
  const now = after.places[after.index.get(path) ?? -1]
  return old && now && { dx: now.x - old.x, dy: now.y - old.y }
}

/** Where boxes are marks they say their name when they are pointed at, and open when they are pressed. */
function usePointing({ boxes }: StageProps, camera: RefObject<Camera | undefined>) {
  const [address] = useAddress()
  const [, navigate] = useLocation()
  const latest = useLatest({ boxes, address })
  const find = useCallback(
    (at: { x: number; y: number }) => {
      const it = camera.current
      return it && !it.words ? latest.current.boxes[it.boxAt(at) ?? -1]?.task : undefined
    },
    [camera, latest],
  )
  const onPress = useCallback(
    (at: { x: number; y: number }) => {
      const task = find(at)
      if (task) navigate(taskHref(task, latest.current.address))
    },
    [find, navigate, latest],
  )
  const onHover = useCallback(
    (at: { x: number; y: number } | undefined) => camera.current?.name(at && find(at), (task) => `${task.display_name}, ${stateWord(task.state)}`),
    [camera, find],
  )
  return { onPress, onHover }
}

function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value)
  useLayoutEffect(() => {
    latest.current = value
  })
  return latest
}

function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    if (!element.current) return undefined
    setWidth(Math.round(element.current.clientWidth))
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setWidth(Math.round(entry.contentRect.width))
    })
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [element])
  return width
}
