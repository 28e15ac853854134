// Keeps what the screens show up to date: one stream of changes for all tabs of the browser together. The tab that holds a lock reads it and
// tells the others; when that tab is closed or out of sight, another one takes over.
import type { QueryClient } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { apiUrl } from './client'
import { type Change, Refresher, topics } from './refresh'
import { follow } from './sse'
import { visible, whileVisible } from './visible'

const name = 'levada changes'

/** What the reading tab tells the others: a change, whether the server answers, or only that it is still there. */
interface Word {
  change?: Change
  connected?: boolean
}

let connected = true
const watchers = new Set<() => void>()

function setConnected(now: boolean) {
  if (connected === now) return
  connected = now
  for (const tell of watchers) tell()
}

/** Says whether changes are told of; false after the connection was lost. */
export function useConnected(): boolean {
  return useSyncExternalStore(
    (tell) => {
      watchers.add(tell)
      return () => watchers.delete(tell)
    },
    () => connected,
  )
}

/** Follows changes for as long as the page is there. */
export function startLive(client: QueryClient): void {
  const refresher = new Refresher(client)
  const channel = new BroadcastChannel(name)
  const ever = new AbortController().signal
  // Until when this tab was told of everything: at first nothing is older than the page.
  let heard = performance.timeOrigin
  const hear = ({ change, connected: answers }: Word) => {
    if (answers !== false) heard = Date.now()
    if (change) refresher.change(change)
    if (answers !== undefined) setConnected(answers)
  }
  channel.addEventListener('message', (event: MessageEvent<Word>) => hear(event.data))
  const say = (word: Word) => {
    hear(word)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin
    channel.postMessage(word)
  }
  let asked = 0
  const url = () => {
    asked = Date.now()
    return apiUrl(['changes'], { topics: topics.join(','), away_ms: Math.max(0, Math.round(asked - heard)) })
  }
  const read = (signal: AbortSignal) =>
    follow(url, signal, {
      onConnect: () => {
        // The server adds a second for the way of the request. One that took longer may have missed something.
        const late = Date.now() - asked > 1000
        say({ connected: true })
        if (late) for (const topic of topics) say({ change: { topic } })
      },
      onAlive: () => say({}),
      onError: (error) => {
        if (error) say({ connected: false })
      },
      onEvents: (events) => {
        for (const { event, data } of events) if (event === 'change') say({ change: JSON.parse(data) as Change })
      },
    })
  void takeTurns(ever, read)
}

/** Calls read while this tab can be seen and no other one reads. */
async function takeTurns(ever: AbortSignal, read: (signal: AbortSignal) => Promise<void>): Promise<never> {
  for (;;) {
    await visible(ever)
    const sight = whileVisible(ever)
    try {
      // Locks are there for pages of this machine and over HTTPS. Elsewhere each tab reads for itself.
      if ('locks' in navigator) await navigator.locks.request(name, { signal: sight.signal }, () => read(sight.signal))
      else await read(sight.signal)
    } catch {
      // It went out of sight while it waited for its turn.
    } finally {
      sight.done()
    }
    if (!sight.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 10_000)) // the server knows no such stream
  }
}
