import { describe, expect, test } from 'vitest'
import { bands, levels, places, type Site, triangles } from './contour'

const random = (first: number) => {
  let state = first
  return () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647
}

const area = (polygon: readonly Site[]) =>
  Math.abs(polygon.reduce((sum, p, i) => sum + p.x * (polygon[(i + 1) % polygon.length]?.y ?? 0) - (polygon[(i + 1) % polygon.length]?.x ?? 0) * p.y, 0)) / 2

describe('a surface over points', () => {
  test('a square is two triangles, also with equal and collinear sites', () => {
    const square = [0, 1].flatMap((x) => [0, 1].map((y) => ({ x, y, z: x + y })))
    expect(triangles(square)).toHaveLength(2)
    const grid = [0, 0.5, 1].flatMap((x) => [0, 0.5, 1].map((y) => ({ x, y, z: 0 })))
    expect(triangles(grid)).toHaveLength(8)
  })

  test('points on a line, or too few, have none', () => {
    expect(triangles([0, 0.3, 0.7, 1].map((x) => ({ x, y: x, z: x })))).toEqual([])
    expect(triangles([{ x: 0, y: 0, z: 0 }])).toEqual([])
  })

  test('triangles of many points cover their hull once, and no point lies in the circle of another triangle', () => {
    const next = random(7)
    const corners = [0, 1].flatMap((x) => [0, 1].map((y) => ({ x, y, z: 0 })))
    const sites = [...corners, ...Array.from({ length: 96 }, () => ({ x: next(), y: next(), z: next() }))]
    const mesh = triangles(sites)
    const whole = mesh.reduce((sum, t) => sum + area(t.map((i) => sites[i] as Site)), 0)
    expect(whole).toBeCloseTo(1, 6)
    expect(mesh).toHaveLength(2 * 100 - 2 - 4)
  })

  test('bands share the surface out, each between its heights', () => {
    const next = random(3)
    const sites = [...[0, 1].flatMap((x) => [0, 1].map((y) => ({ x, y, z: x * y }))), ...Array.from({ length: 20 }, () => ({ x: next(), y: next(), z: next() }))]
    const list = bands(sites, triangles(sites))
    const total = list.flatMap((b) => b.polygons).reduce((sum, p) => sum + area(p), 0)
    expect(total).toBeCloseTo(1, 4)
    for (const b of list) for (const p of b.polygons.flat()) expect(p.z).toBeGreaterThanOrEqual(b.low - 1e-9)
  })

  test('a surface of one height is one band', () => {
    const sites = [0, 1].flatMap((x) => [0, 1].map((y) => ({ x, y, z: 2 })))
    const list = bands(sites, triangles(sites))
    expect(list).toHaveLength(1)
    expect(list[0]?.polygons).toHaveLength(2)
  })

  test('heights are round, and runs of one place share one site', () => {
    expect(levels(0.083, 0.91, 8)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1])
    expect(levels(-3, 17, 8)).toEqual([-5, 0, 5, 10, 15, 20])
    expect(places([{ x: 1, y: 2, z: 1 }, { x: 1, y: 2, z: 3 }, { x: 1, y: 3, z: 9 }])).toEqual([
      { x: 1, y: 2, z: 2 },
      { x: 1, y: 3, z: 9 },
    ])
  })
})
