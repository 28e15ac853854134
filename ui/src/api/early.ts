// Answers to what public/start.js asked for before the application was there.
import { useState } from 'react'

interface Early {
  /** The answer once it is there; undefined before, and when it is not a success. */
  answer: unknown
  answered: Promise<unknown>
}

interface Started {
  levadaEarly?: Map<string, Early>
  levadaStreams?: Map<string, Early>
}

const { levadaEarly: asked = new Map<string, Early>(), levadaStreams: streams = new Map<string, Early>() } = globalThis as Started

/** For how long the first picture waits for the answers, in milliseconds: one picture with them is there sooner than two. */
const patience = 100

/** How long an answer that came early is new, in milliseconds: until the page that it is for is drawn. A notice of a change makes it old at once. */
const atOnce = 2000

/** Ends when the answers are there, or do not come soon. */
export function early(): Promise<unknown> {
  return Promise.race([Promise.all([...asked.values()].map((one) => one.answered)), new Promise((resolve) => setTimeout(resolve, patience))])
}

/** The answer from an address, if it is there already. It is given once: who asks later wants to know what is now. */
export function takeEarly<T>(url: string): T | undefined {
  const one = asked.get(url)
  if (one?.answer === undefined) return undefined
  asked.delete(url)
  return one.answer as T
}

/** What a query begins with: the answer that came early, which is not asked for again at once. A page that is opened later asks anew. */
export function useEarly<T>(url: string): { initialData?: () => T; staleTime?: number } {
  const [first] = useState(() => ({ url, answer: takeEarly<T>(url) }))
  const { answer } = first
  return first.url === url && answer !== undefined ? { initialData: () => answer, staleTime: atOnce } : {}
}

/** The answer from an address that is on its way, once; undefined when nobody asked, or when it is not a success. */
export async function awaitEarly<T>(url: string): Promise<T | undefined> {
  const one = asked.get(url)
  asked.delete(url)
  return (await one?.answered) as T | undefined
}

/** A stream that was opened early, in the same way; undefined when signal has ended it meanwhile. */
export async function awaitEarlyStream(url: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> {
  const one = streams.get(url)
  streams.delete(url)
  const body = ((await one?.answered) as Response | undefined)?.body ?? undefined
  if (!signal.aborted) return body
  await body?.cancel()
  return undefined
}
