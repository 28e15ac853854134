// Server-sent events over fetch. Unlike EventSource this tells a missing run from a broken connection.
import { ApiError, request } from './client'
import { awaitEarlyStream } from './early'
import { visible, whileVisible } from './visible'

export interface ServerEvent {
  event: string
  data: string
}

/** Cuts a text stream into events (HTML Living Standard, section 9.2). Feed it chunks as they come. */
export class EventParser {
  #rest = ''
  #event = ''
  #data: string[] = []

  feed(chunk: string): ServerEvent[] {
    const events: ServerEvent[] = []
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line === '') this.#finish(events)
      else this.#field(line)
    }
    return events
  }

  #finish(events: ServerEvent[]): void {
    if (this.#data.length > 0) events.push({ event: this.#event || 'message', data: this.#data.join('\n') })
    this.#event = ''
    this.#data = []
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) return // a comment: the server's heartbeat
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (name === 'event') this.#event = value
    if (name === 'data') this.#data.push(value)
  }
}

export interface Follower {
  /** Called with the events of each chunk that arrived, in order. */
  onEvents: (events: ServerEvent[]) => void
  /** Called before each connection: the server starts from the beginning again. */
  onConnect?: () => void
  /** Called when anything has come, also what only says that the server is there. */
  onAlive?: () => void
  /** Called with the failure when the stream cannot go on, and with undefined when it does again. */
  onError?: (error: ApiError | undefined) => void
}

/**
 * Follows a stream until it sends `end`, reconnecting when it breaks off. Nothing is followed while the page is out of sight. Stops when signal
 * is aborted.
 */
export async function follow(url: string | (() => string), signal: AbortSignal, follower: Follower): Promise<void> {
  let pause = 500
  for (;;) {
    await visible(signal)
    if (signal.aborted) return
    const sight = whileVisible(signal)
    try {
      const ended = await readOnce(typeof url === 'string' ? url : url(), sight.signal, follower, () => {
        pause = 500
      })
      if (ended) return
    } catch (error) {
      if (signal.aborted) return
      if (sight.signal.aborted) continue
      const known = error instanceof ApiError ? error : new ApiError('The connection to the server broke off. Trying again.', 0)
      follower.onError?.(known)
      // A request that the server refuses is refused again, too.
      if (known.status >= 400 && known.status < 500) return
    } finally {
      sight.done()
    }
    await delay(pause, signal)
    pause = Math.min(pause * 2, 4000)
  }
}

async function readOnce(url: string, signal: AbortSignal, follower: Follower, connected: () => void): Promise<boolean> {
  const body = (await awaitEarlyStream(url, signal)) ?? (await request(url, { headers: { Accept: 'text/event-stream' }, signal })).body
  if (!body) return false
  follower.onConnect?.()
  follower.onError?.(undefined)
  connected()
  const parser = new EventParser()
  // Read and decoded here, without streams between: each would cost every piece of a lively run a few more turns.
  const decoder = new TextDecoder()
  const reader = body.getReader()
  const leave = () => void reader.cancel().catch(() => undefined)
  signal.addEventListener('abort', leave)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      signal.throwIfAborted()
      if (done) return false
      follower.onAlive?.()
      const events = parser.feed(decoder.decode(value, { stream: true }))
      if (events.length > 0) follower.onEvents(events)
      if (events.some((e) => e.event === 'end')) {
        await reader.cancel()
        return true
      }
    }
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
