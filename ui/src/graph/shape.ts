// oxlint-disable typescript/no-non-null-assertion -- every index lies within an array that was made here
// A graph without its tasks: all that its layout depends on, in a form that costs little to send to a worker.
import type { State } from '../api/types'
import type { LaidBox, LaidGraph } from './layout'

export interface Shape {
  /** The number of the box around each box; -1 at the top. */
  parents: Int32Array<ArrayBuffer>
  flags: Uint8Array<ArrayBuffer>
  /** Pairs of numbers of boxes. */
  arrows: Int32Array<ArrayBuffer>
}

const isGroup = 1
const isOpen = 2

export function shapeOf({ boxes, arrows }: LaidGraph): Shape {
  const index = new Map<string, number>()
  const shape = { parents: new Int32Array(boxes.length).fill(-1), flags: new Uint8Array(boxes.length), arrows: new Int32Array(2 * arrows.length) }
  boxes.forEach((box, i) => {
    index.set(box.path, i)
    if (box.parent !== undefined) shape.parents[i] = index.get(box.parent) ?? -1
    shape.flags[i] = (box.group ? isGroup : 0) + (box.open ? isOpen : 0)
  })
  arrows.forEach(({ from, to }, i) => {
    shape.arrows[2 * i] = index.get(from) ?? 0
    shape.arrows[2 * i + 1] = index.get(to) ?? 0
  })
  return shape
}

/** The graph of a shape; boxes are named by their numbers. */
export function graphOf({ parents, flags, arrows }: Shape): LaidGraph {
  const boxes: LaidBox[] = Array.from(flags, (flag, i) => ({
    path: String(i),
    parent: parents[i]! < 0 ? undefined : String(parents[i]),
    group: (flag & isGroup) > 0,
    open: (flag & isOpen) > 0,
  }))
  const pairs = Array.from({ length: arrows.length / 2 }, (_, i) => ({ from: String(arrows[2 * i]), to: String(arrows[2 * i + 1]) }))
  return { boxes, arrows: pairs }
}

const states: readonly State[] = ['PENDING', 'RUNNING', 'CANCELING', 'SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED']

/** States as numbers. */
export function statesOf(boxes: readonly { task: { state: State } }[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(boxes, (box) => Math.max(0, states.indexOf(box.task.state)))
}

export function stateOf(code: number): State {
  return states[code] ?? 'PENDING'
}
