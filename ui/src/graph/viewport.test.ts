import { describe, expect, it } from 'vitest'
import { broughtIn, inSight, viewFrom, viewOf, viewText, wholeView, zoomAt } from './viewport'

const scene = { width: 50_000, height: 20_000 }
const frame = { width: 1000, height: 600 }

describe('the view in an address', () => {
  it.each([{ x: -300, y: -120, zoom: 1 }, { x: 12, y: -4000, zoom: 0.25 }, { x: 100, y: 50, zoom: 0.0456 }])('is found again: %j', (view) => {
    const again = viewFrom(viewText(view, frame), scene, frame)
    expect(again?.zoom).toBeCloseTo(view.zoom, 4)
    expect(Math.abs((again?.x ?? 0) - view.x)).toBeLessThan(1)
    expect(Math.abs((again?.y ?? 0) - view.y)).toBeLessThan(1)
  })

  it('has the same middle in a frame of another size, and the same zoom even where all would fit', () => {
    const small = { width: 400, height: 200 }
    expect(viewFrom('200,100,0.5', small, frame)).toEqual({ x: 400, y: 250, zoom: 0.5 })
  })

  it.each([null, '', 'here', '1,2', '1,2,NaN', '1e9,2,1', '1,2,3,4'])('is none: %j', (text) => expect(viewFrom(text, scene, frame)).toBeUndefined())

  it('is brought back to the graph', () => {
    const view = viewFrom('999999999,0,900', scene, frame)
    expect(view && view.x).toBeGreaterThanOrEqual(60 - scene.width * 1.5)
  })
})

describe('moves', () => {
  it('keep the point that is zoomed at', () => {
    const view = zoomAt({ x: 10, y: 20, zoom: 1 }, 0.5, { x: 110, y: 220 }, [0.1, 1.5])
    expect(view).toEqual({ x: 60, y: 120, zoom: 0.5 })
    expect(zoomAt(view, 0.001, { x: 0, y: 0 }, [0.1, 1.5]).zoom).toBe(0.1)
  })

  it('show all, and bring a box into sight', () => {
    expect(wholeView(scene, frame).zoom).toBeLessThan(0.02)
    const place = { x: 30_000, y: 9000, width: 188, height: 54 }
    const view = viewOf(scene, frame)
    expect(inSight(place, view, frame)).toBe(false)
    expect(inSight(place, viewOf(scene, frame, place), frame)).toBe(true)
    expect(inSight(place, broughtIn(place, view, frame), frame)).toBe(true)
  })
})
