import { describe, expect, it } from 'vitest'
import type { Task } from '../api/types'
import { bundle } from './bundles'
import { layered, type Link } from './layered'
import { layoutGraph, type Point } from './layout'
import type { Arrow, Box, Graph } from './model'
import { type Rect, sceneOf } from './scene'

function graphOf(n: number, before: (i: number) => readonly number[]): Graph {
  const boxes: Box[] = []
  const arrows: Arrow[] = []
  for (let i = 0; i < n; i++) {
    boxes.push({ path: `t${i}`, parent: undefined, task: { path: `t${i}` } as Task, group: false, open: false, iteration: undefined })
    for (const b of before(i)) arrows.push({ from: `t${b}`, to: `t${i}` })
  }
  return { boxes, arrows }
}

const chain = (n: number) => graphOf(n, (i) => (i === 0 ? [] : [i - 1]))
const fanOut = (n: number) => graphOf(n, (i) => (i === 0 ? [] : i < n - 1 ? [0] : Array.from({ length: n - 2 }, (_, k) => k + 1)))

function numbers(seed: number) {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

function layers(n: number, width: number): Graph {
  const random = numbers(7)
  return graphOf(n, (i) => {
    const layer = Math.floor(i / width)
    if (layer === 0) return []
    return [...new Set([0, 1].map(() => (layer - 1) * width + Math.floor(random() * width)))]
  })
}

/** A graph whose links may pass any number of layers. */
function tangle(n: number): Graph {
  const random = numbers(11)
  return graphOf(n, (i) => (i === 0 ? [] : [...new Set([Math.floor(random() * i), i - 1])]))
}

/** Finds two places that overlap, looking only at those that are near each other. */
function collision(places: readonly Rect[]): [number, number] | undefined {
  const sorted = places.map((p, i) => ({ ...p, i })).toSorted((a, b) => a.x - b.x)
  for (let k = 0; k < sorted.length; k++) {
    const a = sorted[k]
    for (let m = k + 1; m < sorted.length; m++) {
      const b = sorted[m]
      if (!a || !b || b.x >= a.x + a.width) break
      if (a.y < b.y + b.height - 0.01 && b.y < a.y + a.height - 0.01) return [a.i, b.i]
    }
  }
  return undefined
}

describe('layoutGraph', () => {
  const shapes = { chain: chain(3000), 'fan-out': fanOut(3000), layers: layers(3000, 60), tangle: tangle(1500) }

  it.each(Object.entries(shapes))('places a %s of thousands without boxes upon each other, along every arrow', (_, graph) => {
    for (const direction of ['LR', 'TB'] as const) {
      const scene = sceneOf(graph, layoutGraph(graph, direction))
      expect(collision(scene.places)).toBeUndefined()
      const outside = (p: Rect) => p.x < -0.01 || p.y < -0.01 || p.x + p.width > scene.width + 0.01 || p.y + p.height > scene.height + 0.01
      expect(scene.places.filter(outside)).toEqual([])
      const touches = (p: Point | undefined, paths: readonly string[]) =>
        paths.length > 1 ||
        paths.some((path) => {
          const place = scene.places[scene.index.get(path) ?? -1]
          return p && place && p.x >= place.x - 0.01 && p.x <= place.x + place.width + 0.01 && p.y >= place.y - 0.01 && p.y <= place.y + place.height + 0.01
        })
      expect(scene.lines.filter((line) => !touches(line.points[0], line.from) || !touches(line.points.at(-1), line.to))).toEqual([])
    }
  })

  it('folds a long chain, so that it is not a line a screen cannot show', () => {
    const { width, height } = layoutGraph(chain(3000), 'LR')
    expect(width / height).toBeLessThan(4)
    expect(width / height).toBeGreaterThan(0.5)
  })

  it('draws many tasks that are alike as one block with one arrow in and one out', () => {
    const graph = fanOut(1000)
    const layout = layoutGraph(graph, 'LR')
    const level = layout.levels.get('')
    expect(level?.blocks.map((b) => b.boxes.length)).toEqual([998])
    expect(level?.lines.length).toBe(2)
    expect(layout.width / layout.height).toBeLessThan(3)
  })

  it('is the same every time', () => {
    const graph = layers(500, 25)
    expect(layoutGraph(graph, 'LR')).toEqual(layoutGraph(graph, 'LR'))
  })

  it.each([
    ['chain', chain(10_000)],
    ['fan-out', fanOut(10_000)],
    ['layers', layers(10_000, 100)],
    ['tangle', tangle(10_000)],
  ])('gives each of 10,000 tasks as %s a place of its own', (_, graph) => {
    // Something quadratic does not end before the test is given up.
    const { places } = sceneOf(graph, layoutGraph(graph, 'LR'))
    expect(new Set(places.map(({ x, y }) => `${x} ${y}`)).size).toBe(10_000)
  })
})

describe('layered', () => {
  it('draws a tree without crossings', () => {
    const links: Link[] = []
    for (let i = 1; i < 40; i++) links.push([Math.floor((i - 1) / 3), i])
    const units = Array.from({ length: 40 }, () => ({ along: 100, across: 40 }))
    const { spots } = layered(units, links, { layer: 50, unit: 20 }, 1.7)
    for (const [a, b] of links) {
      for (const [c, d] of links) {
        if (a === c || spots[a]?.x !== spots[c]?.x) continue
        const order = Math.sign((spots[a]?.y ?? 0) - (spots[c]?.y ?? 0))
        expect(Math.sign((spots[b]?.y ?? 0) - (spots[d]?.y ?? 0))).toBe(order)
      }
    }
  })

  it('makes a straight line of a chain with a long link beside it', () => {
    const units = Array.from({ length: 6 }, () => ({ along: 100, across: 40 }))
    const { spots, routes } = layered(units, [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [0, 5]], { layer: 50, unit: 20 }, 1.7)
    expect(spots.every((s, i) => i === 0 || s.x > (spots[i - 1]?.x ?? 0))).toBe(true)
    expect(routes[5]?.length).toBeGreaterThan(4)
  })
})

describe('bundle', () => {
  it('leaves alone what differs in one neighbour, and what is few', () => {
    const links: Link[] = []
    for (let i = 1; i <= 12; i++) links.push([0, i])
    links.push([12, 13])
    const { members } = bundle(14, links, () => false)
    expect(members.map((m) => m.length).toSorted((a, b) => a - b)).toEqual([1, 1, 1, 11])
    expect(bundle(6, [[0, 1], [0, 2], [0, 3]], () => false).members.every((m) => m.length === 1)).toBe(true)
  })
})
