// The page's side of the graph worker. Where there is no worker, or it fails, the page does the same itself.
import { drawRequested } from './draw'
import { type Direction, type LaidGraph, layoutGraph } from './layout'
import type { Drawn, GraphAnswer, GraphRequest, LaidOut, PictureRequest } from './messages'
import { type Scene, sceneOf, scenePlaced } from './scene'
import { shapeOf } from './shape'

/** A graph of more boxes is laid out and drawn beside the page. */
export const manyBoxes = 200

interface Waiting {
  resolve: (answer: GraphAnswer) => void
  reject: (reason: Error) => void
}

let worker: Worker | undefined
let broken = typeof Worker === 'undefined' || typeof OffscreenCanvas === 'undefined'
let last = 0
const waiting = new Map<number, Waiting>()

/** Starts the worker, if it does not run yet. That takes a moment: it is good to have done so before it is needed. */
export function warmUp(): Worker | undefined {
  if (broken || worker) return worker
  try {
    worker = new Worker(new URL('./graph.worker.ts', import.meta.url), { type: 'module' })
  } catch {
    broken = true
    return undefined
  }
  worker.addEventListener('message', ({ data }: MessageEvent<GraphAnswer>) => {
    waiting.get(data.number)?.resolve(data)
    waiting.delete(data.number)
  })
  // What a worker could not load or do it will not be able to later.
  worker.addEventListener('error', (e) => {
    e.preventDefault()
    broken = true
    worker?.terminate()
    worker = undefined
    for (const { reject } of waiting.values()) reject(new Error(e.message))
    waiting.clear()
  })
  return worker
}

/** Whether graphs can be laid out beside the page. */
export function hasWorker(): boolean {
  return !broken
}

function ask(request: GraphRequest, transfer: Transferable[] = []): Promise<GraphAnswer> {
  return new Promise((resolve, reject) => {
    const to = warmUp()
    if (!to) return reject(new Error('There is no worker.'))
    waiting.set(request.number, { resolve, reject })
    return to.postMessage(request, { transfer })
  })
}

/** Lays a graph out beside the page. Its scene has no lines: they are drawn where they are known. */
export async function layOutBeside(graph: LaidGraph, direction: Direction): Promise<Scene> {
  const shape = shapeOf(graph)
  const number = ++last
  const here = () => sceneOf(graph, layoutGraph(graph, direction))
  try {
    const answer = (await ask({ kind: 'layout', number, shape, direction }, [shape.parents.buffer, shape.flags.buffer, shape.arrows.buffer])) as LaidOut
    return scenePlaced(graph, answer, pictures(number, { graph, direction }, here))
  } catch {
    return here()
  }
}

/** Pictures of a graph that the worker has laid out; here does what it did, should it fail meanwhile. */
function pictures(number: number, { graph, direction }: { graph: LaidGraph; direction: Direction }, here: () => Scene): Scene['drawBeside'] {
  let scene: Scene | undefined
  return async (request: PictureRequest) => {
    try {
      return ((await ask({ ...request, kind: 'draw', number: ++last, graph: number })) as Drawn).bitmap
    } catch {
      scene ??= here()
      const canvas = document.createElement('canvas')
      const selected = graph.boxes[request.selected]?.path
      return drawRequested(canvas, { scene, boxes: graph.boxes, direction }, request, selected) ? createImageBitmap(canvas) : undefined
    }
  }
}
