// What a file is, from its type, its name and its first bytes.

import { looksLikeReport } from '../profile/report'
import { type Language, languageOf } from './highlight'

export type Preview = 'html' | 'markdown' | 'json' | 'table' | 'report' | 'mlmodel' | 'text' | 'image' | 'binary' | 'empty'

export interface Sniffed {
  preview: Preview
  /** For an image: its media type. */
  mime?: string
  text?: string
  /** For a text: how it is coloured. */
  language?: Language
}

const images: readonly (readonly [string, readonly number[]])[] = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/gif', [0x47, 0x49, 0x46, 0x38]],
]

export function sniff(head: Uint8Array, whole: boolean, name: string, schemaTitle: string): Sniffed {
  if (head.length === 0) return { preview: 'empty' }
  // The server reads tables, also those that are no text.
  if (startsWith(head, 'PAR1') || (head[0] === 0x1f && head[1] === 0x8b && /\.(csv|tsv|jsonl|ndjson)\.gz$/i.test(name))) return { preview: 'table' }
  const mime = imageType(head)
  if (mime) return { preview: 'image', mime }
  const text = decode(head, whole)
  if (text === undefined) return { preview: 'binary' }
  const language = languageOf(name, text)
  const ext = /\.[a-z0-9]+$/i.exec(name)?.[0].toLowerCase()
  if (ext === '.svg' && /<svg[\s>]/i.test(text)) return { preview: 'image', mime: 'image/svg+xml', text }
  if (ext === '.html' || ext === '.htm' || (schemaTitle === 'system.HTML' && !ext)) return { preview: 'html', text }
  if (ext === '.md' || (schemaTitle === 'system.Markdown' && !ext)) return { preview: 'markdown', text }
  if (/(^|\/)MLmodel$/.test(name) && whole) return { preview: 'mlmodel', text, language }
  if (ext === '.jsonl' || ext === '.ndjson' || (!ext && linesOfJson(text))) return { preview: 'table', text, language }
  if (looksLikeReport(text) && (!ext || ext === '.json')) return { preview: 'report', text }
  if (whole && isJson(text)) return { preview: 'json', text }
  if (ext === '.csv' || ext === '.tsv' || (!ext && delimiterOf(text))) return { preview: 'table', text }
  return { preview: 'text', text, language }
}

export const looksLikeImage = (name: string) => /\.(png|jpe?g|gif|webp|svg)$/i.test(name)

function startsWith(head: Uint8Array, magic: string): boolean {
  return [...magic].every((c, i) => head[i] === c.charCodeAt(0))
}

function imageType(head: Uint8Array): string | undefined {
  for (const [mime, magic] of images) {
    if (magic.every((byte, i) => head[i] === byte)) return mime
  }
  const ascii = (from: number, to: number) => String.fromCharCode(...head.subarray(from, to))
  return ascii(0, 4) === 'RIFF' && ascii(8, 12) === 'WEBP' ? 'image/webp' : undefined
}

/** The bytes as UTF-8, or undefined when they are none. The end may cut a character unless these are all bytes. */
function decode(head: Uint8Array, whole: boolean): string | undefined {
  if (head.includes(0)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: !whole })
  } catch {
    return undefined
  }
}

function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Says whether the first lines are a JSON object each. */
function linesOfJson(text: string): boolean {
  const lines = text.split(/\r?\n/, 4).filter((l) => l !== '')
  // The last line may be cut off.
  return lines.length > 1 && lines.slice(0, -1).every((l) => l.startsWith('{') && isJson(l))
}

/** The character that parts the columns when the first lines look like a table of two columns or more. */
export function delimiterOf(text: string): string | undefined {
  const lines = text.split(/\r?\n/, 6).filter((l) => l !== '')
  if (lines.length < 2) return undefined
  // The last line may be cut off.
  const sample = lines.length > 2 ? lines.slice(0, -1) : lines
  return [',', '\t', ';', '|'].find((d) => {
    const widths = sample.map((l) => parseTable(l, d, 1)[0]?.length ?? 0)
    return (widths[0] ?? 0) > 1 && widths.every((w) => w === widths[0])
  })
}

/** Parses delimited text (RFC 4180: quotes hold delimiters, line breaks and doubled quotes). */
export function parseTable(text: string, delimiter: string, maxRows: number): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const endRow = () => {
    row.push(cell)
    if (row.length > 1 || row[0] !== '') rows.push(row)
    row = []
    cell = ''
  }
  for (let i = 0; i < text.length && rows.length < maxRows; i++) {
    const c = text.charAt(i)
    if (quoted) {
      if (c !== '"') cell += c
      else if (text.charAt(i + 1) === '"') cell += text.charAt(++i)
      else quoted = false
    } else if (c === '"' && cell === '') quoted = true
    else if (c === delimiter) {
      row.push(cell)
      cell = ''
    } else if (c === '\n') endRow()
    else if (c !== '\r') cell += c
  }
  if (rows.length < maxRows && (cell !== '' || row.length > 0)) endRow()
  return rows
}
