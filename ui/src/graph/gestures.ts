// Turns what fingers, mouse, wheel and keys do into moves of a view.
export interface Gestures {
  pan: (dx: number, dy: number) => void
  zoom: (factor: number, at: { x: number; y: number }) => void
  /** Shows all of it. */
  fit: () => void
  /** A press that was no drag, outside links and buttons. */
  press: (at: { x: number; y: number }) => void
  /** The pointer rests on a point, or has left. */
  hover: (at: { x: number; y: number } | undefined) => void
}

/** A pointer that moved less has clicked. */
const slack = 4
const step = 80

export function listen(host: HTMLElement, gestures: Gestures): () => void {
  const abort = new AbortController()
  const { signal } = abort
  const point = (e: MouseEvent) => {
    const corner = host.getBoundingClientRect()
    return { x: e.clientX - corner.left, y: e.clientY - corner.top }
  }
  const down = new Map<number, { x: number; y: number }>()
  let dragged = false
  host.addEventListener(
    'pointerdown',
    (e) => {
      if (e.button !== 0 || (e.target as Element).closest('button, input')) return
      if (down.size === 0) dragged = false
      down.set(e.pointerId, point(e))
    },
    { signal },
  )
  const move = (e: PointerEvent) => {
    const at = point(e)
    const before = down.get(e.pointerId)
    if (!before) return gestures.hover(at)
    if (!dragged && Math.hypot(at.x - before.x, at.y - before.y) < slack) return undefined
    if (!dragged) host.setPointerCapture(e.pointerId)
    dragged = true
    const other = [...down].find(([id]) => id !== e.pointerId)?.[1]
    if (other) {
      const middle = { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 }
      gestures.zoom(Math.hypot(at.x - other.x, at.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y)), middle)
      gestures.pan((at.x - before.x) / 2, (at.y - before.y) / 2)
    } else gestures.pan(at.x - before.x, at.y - before.y)
    down.set(e.pointerId, at)
    return undefined
  }
  host.addEventListener('pointermove', move, { signal })
  for (const kind of ['pointerup', 'pointercancel'] as const) host.addEventListener(kind, (e) => down.delete(e.pointerId), { signal })
  host.addEventListener('pointerleave', () => gestures.hover(undefined), { signal })
  // A drag that began on a link must not follow it.
  host.addEventListener(
    'click',
    (e) => {
      if (dragged) {
        e.preventDefault()
        e.stopPropagation()
        dragged = false
      } else if (!(e.target as Element).closest('a, button')) gestures.press(point(e))
    },
    { signal, capture: true },
  )
  host.addEventListener(
    'wheel',
    (e) => {
      // Without a key the wheel scrolls the page.
      if (!e.ctrlKey && !e.metaKey) return
      e.preventDefault()
      gestures.zoom(Math.exp(-Math.max(-60, Math.min(60, e.deltaY)) * 0.008), point(e))
    },
    { signal, passive: false },
  )
  host.addEventListener('keydown', (e) => key(e, host, gestures), { signal })
  return () => abort.abort()
}

function key(e: KeyboardEvent, host: HTMLElement, { pan, zoom, fit }: Gestures): void {
  if (e.ctrlKey || e.metaKey || e.altKey) return
  const middle = { x: host.clientWidth / 2, y: host.clientHeight / 2 }
  const moves: Record<string, () => void> = {
    ArrowLeft: () => pan(step, 0),
    ArrowRight: () => pan(-step, 0),
    ArrowUp: () => pan(0, step),
    ArrowDown: () => pan(0, -step),
    '+': () => zoom(1.25, middle),
    '-': () => zoom(0.8, middle),
    '0': fit,
  }
  const act = moves[e.key]
  if (!act) return
  e.preventDefault()
  act()
}
