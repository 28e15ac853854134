// Lays large graphs out and draws them, so that the page does not stand still meanwhile. It is given shapes and states, no tasks.
import { type Drawable, drawRequested } from './draw'
import { layoutGraph } from './layout'
import type { DrawRequest, Drawn, GraphRequest, LaidOut, LayoutRequest } from './messages'
import { sceneOf } from './scene'
import { graphOf } from './shape'

let kept: (Drawable & { number: number }) | undefined
const canvas = new OffscreenCanvas(1, 1)

function layOut({ number, shape, direction }: LayoutRequest): LaidOut {
  const graph = graphOf(shape)
  const scene = sceneOf(graph, layoutGraph(graph, direction))
  kept = { number, scene, direction, boxes: graph.boxes }
  const places = new Float64Array(4 * scene.places.length)
  scene.places.forEach(({ x, y, width, height }, i) => places.set([x, y, width, height], 4 * i))
  return { number, places, width: scene.width, height: scene.height }
}

function picture(request: DrawRequest): Drawn {
  const { number } = request
  if (kept?.number !== request.graph || !drawRequested(canvas, kept, request)) return { number }
  return { number, bitmap: canvas.transferToImageBitmap() }
}

addEventListener('message', ({ data }: MessageEvent<GraphRequest>) => {
  if (data.kind === 'layout') {
    const answer = layOut(data)
    postMessage(answer, { transfer: [answer.places.buffer] })
  } else {
    const answer = picture(data)
    postMessage(answer, { transfer: answer.bitmap ? [answer.bitmap] : [] })
  }
})
