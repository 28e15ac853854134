// Arrows as paths of SVG.
import type { Direction, Point } from './layout'

/** A smooth line along points, as the path of an SVG. It begins and ends in the direction of the graph. */
export function smoothPath(route: readonly Point[], direction: Direction): string {
  const [first, ...rest] = withStubs(route, direction)
  if (!first) return ''
  const parts = [`M${first.x},${first.y}`]
  rest.forEach((p, i) => {
    const after = rest[i + 1]
    parts.push(after ? `Q${p.x},${p.y} ${(p.x + after.x) / 2},${(p.y + after.y) / 2}` : `L${p.x},${p.y}`)
  })
  return parts.join(' ')
}

const stub = 12

function withStubs(route: readonly Point[], direction: Direction): Point[] {
  const first = route[0]
  const last = route.at(-1)
  if (!first || !last) return []
  const step = direction === 'LR' ? { x: stub, y: 0 } : { x: 0, y: stub }
  const out = { x: first.x + step.x, y: first.y + step.y }
  const into = { x: last.x - step.x, y: last.y - step.y }
  return [first, out, ...route.slice(1, -1), into, last]
}
