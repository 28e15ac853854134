// The lines of a log that a browser keeps, made readable.
import type { LogLine } from '../api/types'

/** More lines than this are not kept: the oldest go first. */
export const defaultLimit = 100_000

export interface LogBuffer {
  lines: readonly LogLine[]
  /** Lines that are no longer kept. */
  dropped: number
}

export const emptyBuffer: LogBuffer = { lines: [], dropped: 0 }

export function append(buffer: LogBuffer, added: readonly LogLine[], limit = defaultLimit): LogBuffer {
  const lines = [...buffer.lines, ...added.map((l) => ({ ...l, text: readable(l.text) }))]
  const excess = Math.max(0, lines.length - limit)
  return { lines: excess > 0 ? lines.slice(excess) : lines, dropped: buffer.dropped + excess }
}

// ECMA-48: CSI sequences (colours, cursor), OSC sequences (titles, links), and other two-byte escapes. The server writes the escape
// character as \x1b.
// oxlint-disable-next-line no-control-regex
const escapes = /(?:\u001b|\\x1b)(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]{0,2000}?(?:\u0007|\\x07|\u001b\\|\\x1b\\)|[@-Z\\-_])/g

/** Drops terminal colours, and keeps only the last state of a progress bar that rewrites its line. */
export function readable(text: string): string {
  const plain = text.includes('\u001b') || text.includes('\\x1b') ? text.replace(escapes, '') : text
  if (!plain.includes('\r')) return plain
  return plain.split('\r').findLast((part) => part.trim() !== '') ?? ''
}

/** Positions of the lines that contain a text, in any case. */
export function findLines(lines: readonly LogLine[], text: string): number[] {
  const wanted = text.toLowerCase()
  if (wanted === '') return []
  const found: number[] = []
  lines.forEach((line, i) => {
    if (line.text.toLowerCase().includes(wanted)) found.push(i)
  })
  return found
}

/** Cuts a line at each place where it contains a text: even pieces are outside, odd ones are matches. */
export function cutAt(line: string, text: string): string[] {
  if (text === '') return [line]
  const pieces: string[] = []
  const lower = line.toLowerCase()
  const wanted = text.toLowerCase()
  let from = 0
  for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
    pieces.push(line.slice(from, at), line.slice(at, at + wanted.length))
    from = at + wanted.length
  }
  pieces.push(line.slice(from))
  return pieces
}

/** The log as plain text, one line each. */
export function plainText(lines: readonly LogLine[], times: boolean): string {
  return lines.map((l) => (times ? `${l.at} ${l.stream} ${l.text}\n` : `${l.text}\n`)).join('')
}
