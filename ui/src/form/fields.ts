// What is typed into the fields of a form, and the parameters it stands for. Nothing here draws.
import type { OutlineInput } from '../api/types'

/** What a reader has typed into a field, or that the input is to be left out. */
export type Edit = { text: string } | 'left out'

export type Edits = Readonly<Record<string, Edit>>

/** How an input is asked for. */
export type Kind = 'choice' | 'number' | 'integer' | 'boolean' | 'text' | 'json'

export function kindOf(input: OutlineInput): Kind {
  if (input.literals?.length) return 'choice'
  switch (input.type) {
    case 'NUMBER_DOUBLE':
      return 'number'
    case 'NUMBER_INTEGER':
      return 'integer'
    case 'BOOLEAN':
      return 'boolean'
    case 'STRING':
      return 'text'
    default:
      return 'json'
  }
}

const typeWords: Record<string, string> = {
  NUMBER_DOUBLE: 'number',
  NUMBER_INTEGER: 'whole number',
  BOOLEAN: 'true or false',
  STRING: 'text',
  LIST: 'list',
  STRUCT: 'struct',
}

/** The type of an input as a form names it. */
export function typeWord(type: string): string {
  return typeWords[type] ?? type
}

/** A value as it stands in its field. */
export function textOf(value: unknown, kind: Kind): string {
  if (kind === 'choice') return JSON.stringify(value)
  if (typeof value === 'string') return kind === 'json' ? JSON.stringify(value) : value
  return kind === 'json' ? JSON.stringify(value, null, 2) : JSON.stringify(value)
}

/** What stands in a field before anybody has typed: the value of the run that is repeated, else the default, else nothing. */
export function initialEdit(input: OutlineInput, given: Readonly<Record<string, unknown>> | undefined): Edit {
  const value = given && input.name in given ? given[input.name] : input.default
  return value === undefined || value === null ? 'left out' : { text: textOf(value, kindOf(input)) }
}

export type Read = { value: unknown } | { error: string }

/** The value that a text stands for, or what is wrong with it. */
export function readText(text: string, input: OutlineInput): Read {
  switch (kindOf(input)) {
    case 'text':
      return { value: text }
    case 'number':
    case 'integer':
      return readNumber(text.trim(), input.type === 'NUMBER_INTEGER')
    case 'choice':
    case 'boolean':
      return { value: JSON.parse(text) }
    default:
      return readJson(text, input.type)
  }
}

function readNumber(text: string, whole: boolean): Read {
  if (text === '') return { error: 'A number is needed.' }
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) return { error: `${clip(text)} is not a number, such as 0.5 or 1e-3.` }
  if (!Number.isFinite(value)) return { error: 'The number is too large.' }
  if (whole && !Number.isInteger(value)) return { error: `${clip(text)} is not a whole number.` }
  if (whole && !Number.isSafeInteger(value)) return { error: 'Whole numbers beyond 9007199254740991 are not exact.' }
  return { value }
}

function readJson(text: string, type: string): Read {
  if (text.trim() === '') return { error: `JSON is needed, such as ${type === 'LIST' ? '["a", 1]' : '{"key": "value"}'}.` }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    return { error: `This is not JSON: ${where(text, cause instanceof Error ? cause.message : '')}` }
  }
  if (type === 'LIST' && !Array.isArray(value)) return { error: 'A list is needed: [ … ].' }
  if (type === 'STRUCT' && (typeof value !== 'object' || value === null || Array.isArray(value))) return { error: 'A struct is needed: { … }.' }
  return { value }
}

/** The browser's words, with the position as line and column. */
function where(text: string, message: string): string {
  const at = /at position (\d+)/.exec(message)
  if (!at) return message
  const before = text.slice(0, Number(at[1])).split('\n')
  const place = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
  return `${message.slice(0, at.index).trim().replace(/,? in JSON$/, '')} (${place}).`
}

function clip(text: string): string {
  return text.length > 40 ? `“${text.slice(0, 40)}…”` : `“${text}”`
}

export interface Filled {
  /** What differs from the defaults, or all that was given when a run is repeated. */
  parameters: Record<string, unknown>
  errors: Record<string, string>
}

/** The parameters that the fields stand for, and what is wrong with which of them. */
export function fill(inputs: readonly OutlineInput[], edits: Edits, given?: Readonly<Record<string, unknown>>): Filled {
  const parameters: Record<string, unknown> = {}
  const errors: Record<string, string> = {}
  for (const input of inputs) {
    const edit = edits[input.name] ?? initialEdit(input, given)
    if (edit === 'left out') {
      if (input.required) errors[input.name] = 'This input is needed and has no default.'
      continue
    }
    const read = readText(edit.text, input)
    if ('error' in read) errors[input.name] = read.error
    else if (!same(read.value, input.default)) parameters[input.name] = read.value
  }
  return { parameters, errors }
}

function same(a: unknown, b: unknown): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b)
}
