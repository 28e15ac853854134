// The only place that speaks HTTP. Every failure becomes an ApiError whose message a person can read.
import { awaitEarly } from './early'
import type { Problem } from './types'

const prefix = '/api/v1'

export class ApiError extends Error {
  /** The HTTP status, or 0 when no server answered. */
  readonly status: number
  /** What is wrong with which part of the request: "parameters.lr", "trigger". */
  readonly fields: ReadonlyMap<string, string>

  constructor(message: string, status: number, fields: ReadonlyMap<string, string> = new Map()) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.fields = fields
  }
}

export type Query = Record<string, string | number | boolean | readonly string[] | undefined>

/** Makes an address of the API: path segments and query values are escaped, absent ones are left out, lists are repeated. */
export function apiUrl(segments: readonly string[], query: Query = {}): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) search.append(key, one)
    else if (value !== undefined && value !== '') search.set(key, String(value))
  }
  const tail = search.size > 0 ? `?${search}` : ''
  return `${prefix}/${segments.map(encodeURIComponent).join('/')}${tail}`
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const early = await awaitEarly<T>(url)
  if (early !== undefined) return early
  const response = await request(url, { headers: { Accept: 'application/json' }, ...(signal ? { signal } : {}) })
  return (await response.json()) as T
}

/** Sends a request whose answer is not looked at. */
export async function send(method: 'POST' | 'PUT' | 'DELETE', url: string, body?: unknown): Promise<void> {
  await request(url, body === undefined ? { method } : { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
}

/** Sends a body and reads the answer. */
export async function postJson<T>(url: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await request(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), ...(signal ? { signal } : {}) })
  return (await response.json()) as T
}

export async function getText(url: string, signal?: AbortSignal): Promise<string> {
  return (await request(url, signal ? { signal } : {})).text()
}

export interface Head {
  bytes: Uint8Array<ArrayBuffer>
  /** True when these are all bytes of the file. */
  whole: boolean
}

/** Reads at most limit bytes from the beginning of a file. */
export async function getHead(url: string, limit: number, signal?: AbortSignal): Promise<Head> {
  const response = await request(url, { headers: { Range: `bytes=0-${limit - 1}` }, ...(signal ? { signal } : {}) })
  const bytes = new Uint8Array(await response.arrayBuffer())
  const total = Number(response.headers.get('Content-Range')?.split('/')[1] ?? bytes.length)
  return { bytes: bytes.subarray(0, limit), whole: total <= limit }
}

/** Fetches, and throws an ApiError for every answer that is not a success. */
export async function request(url: string, init: RequestInit): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause
    throw new ApiError('The server does not answer. Is "levada up" still running?', 0)
  }
  // 416: a range of an empty file.
  if (response.status === 416) return new Response(null)
  if (!response.ok) throw await apiError(response)
  return response
}

async function apiError(response: Response): Promise<ApiError> {
  const fallback = `The server answered ${response.status} ${response.statusText}`.trim()
  try {
    const problem = (await response.json()) as Problem
    return new ApiError(problem.detail || problem.title || fallback, response.status, fieldsOf(problem))
  } catch {
    return new ApiError(fallback, response.status)
  }
}

/** What a problem says of single parts of the body, by their place in it. */
export function fieldsOf(problem: Problem): Map<string, string> {
  const fields = new Map<string, string>()
  for (const { location = '', message = '' } of problem.errors ?? []) {
    if (!location.startsWith('body.')) continue
    const place = location.slice('body.'.length)
    const before = fields.get(place)
    fields.set(place, before ? `${before}; ${message}` : message)
  }
  return fields
}
