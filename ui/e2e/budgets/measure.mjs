// What all measurements of the web interface use.
import { openPage } from '../browser.mjs'

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]

/** Measures several times, and returns the median with all that was measured. */
export async function several(times, once) {
  const all = []
  for (let i = 0; i < times; i++) all.push(await once(i))
  return { value: median(all), all }
}

/** A page in a browser context of its own, with nothing in its cache; slow is by how much its processor is slower than this machine's. */
export async function freshPage(browser, base, { slow = 1 } = {}) {
  const { page, complaints } = await openPage(browser, base)
  page.setDefaultTimeout(120_000)
  await page.addInitScript(() => {
    window.longTasks = []
    new PerformanceObserver((list) => {
      for (const task of list.getEntries()) window.longTasks.push({ at: task.startTime, took: task.duration })
    }).observe({ type: 'longtask', buffered: true })
  })
  if (slow > 1) {
    const session = await page.context().newCDPSession(page)
    await session.send('Emulation.setCPUThrottlingRate', { rate: slow })
  }
  return { page, complaints, close: () => page.context().close() }
}

/** The longest task of a page since a moment, in milliseconds; 0 when none took more than 50. */
export function longTasks(page, since) {
  return page.evaluate((from) => Math.max(0, ...window.longTasks.filter((t) => t.at >= from).map((t) => t.took)), since)
}

/**
 * Milliseconds from the beginning of the page until what selector names is painted and the page can be used: until the end of the last long
 * task before half a second without one.
 */
export function interactive(page, selector) {
  return page.evaluate(
    (wanted) =>
      new Promise((resolve) => {
        let painted
        let busyUntil = 0
        new PerformanceObserver((list) => {
          for (const task of list.getEntries()) busyUntil = Math.max(busyUntil, task.startTime + task.duration)
        }).observe({ type: 'longtask', buffered: true })
        const look = () => {
          if (!document.querySelector(wanted)) requestAnimationFrame(look)
          else
            requestAnimationFrame(() => {
              painted = performance.now()
              settle()
            })
        }
        const settle = () => {
          if (performance.now() - Math.max(painted, busyUntil) < 500) setTimeout(settle, 50)
          else resolve(Math.max(painted, busyUntil))
        }
        look()
      }),
    selector,
  )
}
