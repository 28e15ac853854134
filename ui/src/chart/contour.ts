// A surface over scattered points: between them it is linear, outside of them there is none. Triangles are Delaunay's, made by
// Bowyer's and Watson's method; bands are the parts of the triangles between two heights.

export interface Site {
  x: number
  y: number
  z: number
}

export type Triangle = readonly [number, number, number]

/** Points of one place become one, with the mean of their heights. */
export function places(points: readonly Site[]): Site[] {
  const at = new Map<string, { x: number; y: number; sum: number; n: number }>()
  for (const { x, y, z } of points) {
    const key = `${x} ${y}`
    const old = at.get(key)
    if (old) {
      old.sum += z
      old.n++
    } else at.set(key, { x, y, sum: z, n: 1 })
  }
  return [...at.values()].map(({ x, y, sum, n }) => ({ x, y, z: sum / n }))
}

/** Twice the area of a triangle, positive when it turns to the left. */
const turn = (a: Site, b: Site, c: Site) => (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x)

/** Says whether d lies inside the circle through a, b and c, which turn to the left. */
function inCircle(a: Site, b: Site, c: Site, d: Site): boolean {
  const [ax, ay, bx, by, cx, cy] = [a.x - d.x, a.y - d.y, b.x - d.x, b.y - d.y, c.x - d.x, c.y - d.y]
  const [aa, bb, cc] = [ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy]
  return ax * (by * cc - bb * cy) - ay * (bx * cc - bb * cx) + aa * (bx * cy - by * cx) > 1e-12
}

/**
 * Triangles between sites whose coordinates are between 0 and 1, as places in the list. There are none when all sites lie on a line.
 * It takes the square of their number at most, and there are a hundred.
 */
export function triangles(sites: readonly Site[]): Triangle[] {
  const n = sites.length
  if (n < 3) return []
  const far = 1000
  const all = [...sites, { x: -far, y: -far, z: 0 }, { x: far, y: -far, z: 0 }, { x: 0, y: far, z: 0 }]
  const site = (i: number) => all[i] as Site
  let list: Triangle[] = [[n, n + 1, n + 2]]
  for (let i = 0; i < n; i++) {
    const keep: Triangle[] = []
    const edges = new Map<string, [number, number]>()
    for (const t of list) {
      if (!inCircle(site(t[0]), site(t[1]), site(t[2]), site(i))) {
        keep.push(t)
        continue
      }
      for (const [a, b] of [[t[0], t[1]], [t[1], t[2]], [t[2], t[0]]] as [number, number][]) {
        // An edge that two triangles share runs the other way in the other one.
        if (!edges.delete(`${b} ${a}`)) edges.set(`${a} ${b}`, [a, b])
      }
    }
    for (const [a, b] of edges.values()) if (turn(site(a), site(b), site(i)) > 1e-12) keep.push([a, b, i])
    list = keep
  }
  return list.filter((t) => t.every((i) => i < n) && turn(site(t[0]), site(t[1]), site(t[2])) > 1e-9)
}

/** The part of a polygon on one side of a height; over says which. */
function clip(polygon: readonly Site[], height: number, over: boolean): Site[] {
  const inside = (p: Site) => (over ? p.z >= height : p.z <= height)
  return polygon.flatMap((p, i) => {
    const q = polygon[(i + 1) % polygon.length] ?? p
    const out = inside(p) ? [p] : []
    if (inside(p) !== inside(q)) {
      const t = (height - p.z) / (q.z - p.z)
      out.push({ x: p.x + t * (q.x - p.x), y: p.y + t * (q.y - p.y), z: height })
    }
    return out
  })
}

export interface Band {
  low: number
  high: number
  polygons: Site[][]
}

/** Heights from low to high at round numbers, about n of them between. */
export function levels(low: number, high: number, n: number): number[] {
  if (!(high > low)) return [low, low + (Math.abs(low) || 1) * 1e-9]
  const raw = (high - low) / n
  const size = 10 ** Math.floor(Math.log10(raw))
  const step = size * ([1, 2, 5, 10].find((s) => s * size >= raw * 0.999) ?? 10)
  const from = Math.floor(low / step + 1e-9)
  const to = Math.ceil(high / step - 1e-9)
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)))
}

/** The surface in bands between round heights. */
export function bands(sites: readonly Site[], mesh: readonly Triangle[], n = 8): Band[] {
  const heights = sites.map((s) => s.z)
  const edges = levels(Math.min(...heights), Math.max(...heights), n)
  return edges.slice(1).map((high, i) => {
    const low = edges[i] ?? high
    const polygons = mesh.flatMap((t) => {
      const corners = t.map((k) => sites[k] as Site)
      if (Math.max(...corners.map((c) => c.z)) < low || Math.min(...corners.map((c) => c.z)) > high) return []
      const part = clip(clip(corners, low, true), high, false)
      return part.length > 2 ? [part] : []
    })
    return { low, high, polygons }
  })
}
