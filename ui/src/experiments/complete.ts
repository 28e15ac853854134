// What may follow in a filter: field names, comparators, values, AND and OR. The server alone decides what is right.
import { quoted } from './fields'

export interface Completion {
  /** The part of the text that a choice takes the place of. */
  from: number
  to: number
  options: string[]
}

/** What a kind of rows can be compared by, beside parameters, metrics and tags. */
export interface Words {
  attributes: readonly string[]
  /** The attributes that are compared as numbers are. */
  ordered: readonly string[]
  /** Values of attributes, in quotes. */
  values: Readonly<Record<string, readonly string[]>>
}

export const trackedWords: Words = {
  attributes: ['run_name', 'status', 'start_time', 'end_time', 'run_id', 'user_id', 'artifact_uri'],
  ordered: ['start_time', 'end_time'],
  values: { status: ["'RUNNING'", "'FINISHED'", "'FAILED'", "'KILLED'", "'SCHEDULED'"] },
}

const most = 12

interface Token {
  text: string
  at: number
}

/** Cuts a filter into words, quoted texts, comparators and parentheses. An open quote reaches to the end. */
function tokens(text: string): Token[] {
  const pattern = /(?:[^\s'"`=<>!()]|`[^`]*(?:`|$))+|'[^']*(?:'|$)|"[^"]*(?:"|$)|[=<>!]+|[()]/g
  return [...text.matchAll(pattern)].map((m) => ({ text: m[0], at: m.index }))
}

type Place = 'field' | 'comparator' | 'value' | 'joiner'

const joins = /^(and|or|\()$/i
const compares = /^([=<>!]+|like|ilike|in)$/i

/** What comes after these tokens. */
function placeAfter(before: Token[]): Place {
  let place: Place = 'field'
  for (const { text } of before) {
    if (joins.test(text)) place = 'field'
    else if (compares.test(text)) place = 'value'
    else if (/^(not|is)$/i.test(text)) place = 'comparator'
    else if (place === 'field') place = 'comparator'
    else if (place === 'value' || /^null$/i.test(text) || text === ')') place = 'joiner'
  }
  return place
}

/** What can be written at the caret, best first. names are columns, such as params.lr. */
export function complete(text: string, caret: number, names: readonly string[], words: Words = trackedWords): Completion {
  const before = tokens(text.slice(0, caret))
  const last = before.at(-1)
  // A word that the caret touches is being written.
  const writing = last && last.at + last.text.length === caret && !/^[()]$/.test(last.text) ? last : undefined
  const done = writing ? before.slice(0, -1) : before
  const place = placeAfter(done)
  const word = writing?.text ?? ''
  return { from: writing?.at ?? caret, to: caret, options: rank(candidates(place, done, names, words), word) }
}

function candidates(place: Place, done: Token[], names: readonly string[], words: Words): readonly string[] {
  const field = done.findLast((t) => !compares.test(t.text) && !joins.test(t.text))?.text ?? ''
  const number = /^metrics?\./.test(field) || words.ordered.includes(field)
  switch (place) {
    case 'field':
      return [...names.map(quoted), ...words.attributes]
    case 'comparator':
      return number ? ['<', '<=', '>', '>=', '=', '!='] : ['=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL']
    case 'value':
      return words.values[field] ?? []
    default:
      return ['AND', 'OR']
  }
}

/** The options that contain what was written, those that begin with it, or whose key does, first. What is written in full is no option. */
function rank(options: readonly string[], written: string): string[] {
  const low = written.toLowerCase().replaceAll('`', '')
  const found = options.flatMap((option) => {
    const name = option.toLowerCase().replaceAll('`', '')
    if (!name.includes(low) || option === written) return []
    return [{ option, at: name.startsWith(low) || name.slice(name.indexOf('.') + 1).startsWith(low) ? 0 : 1 }]
  })
  return found.toSorted((a, b) => a.at - b.at).slice(0, most).map((f) => f.option)
}

/** The text after a choice, and where the caret is then. */
export function accept(text: string, { from, to }: Completion, option: string): { text: string; caret: number } {
  const rest = text.slice(to)
  const inserted = rest.startsWith(' ') ? option : `${option} `
  return { text: text.slice(0, from) + inserted + rest, caret: from + inserted.length + (rest.startsWith(' ') ? 1 : 0) }
}
