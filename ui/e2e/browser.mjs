// Starts the system's Chromium, without a word to anyone outside this machine.
import { chromium } from 'playwright-core'

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
}

/**
 * Opens a page and keeps what must not happen there: errors in the console, which include breaches of the content
 * policy, and requests to other servers.
 */
export async function openPage(browser, base, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  const page = await context.newPage()
  const complaints = []
  page.on('console', (m) => {
    if (m.type() === 'error') complaints.push(`console: ${m.text()} ${m.location().url}`)
  })
  // What waits for a page that is gone waits to its end, and would not say why.
  page.on('crash', () => console.error(`the page crashed at ${page.url()}`))
  page.on('pageerror', (e) => complaints.push(`error: ${e.message}`))
  page.on('request', (r) => {
    const url = r.url()
    if (!url.startsWith(base) && !url.startsWith('blob:') && !url.startsWith('data:')) complaints.push(`request to ${url}`)
  })
  return { page, complaints }
}

/** Waits until a page has asked for nothing for half a second. Its streams stay open, so the network is never idle. */
export async function settled(page) {
  let last = Date.now()
  const note = () => {
    last = Date.now()
  }
  page.on('request', note).on('requestfinished', note)
  while (Date.now() - last < 500) await page.waitForTimeout(50)
  page.off('request', note).off('requestfinished', note)
}
