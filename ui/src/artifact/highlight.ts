// Splits a line of code or of a log into words that have a colour. It colours for reading, it does not parse: what it takes wrongly is
// still shown as it is. State that goes over lines (a text in three quotes) is handed on from line to line.

export type Language = 'json' | 'yaml' | 'python' | 'log' | 'text'
export type Tone = 'key' | 'text' | 'number' | 'word' | 'comment' | 'name' | 'error' | 'warning' | 'quiet'

export interface Piece {
  text: string
  tone?: Tone
}

/** What a line leaves open for the next: the quotes of a Python text. */
export type Open = '"""' | "'''" | ''

const rules: Record<Exclude<Language, 'text'>, readonly (readonly [RegExp, Tone])[]> = {
  json: [
    [/"(?:[^"\\]|\\.)*"(?=\s*:)/y, 'key'],
    [/"(?:[^"\\]|\\.)*"?/y, 'text'],
    [/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y, 'number'],
    [/\b(?:true|false|null)\b/y, 'word'],
  ],
  yaml: [
    [/(?<![^\s])#.*/y, 'comment'],
    [/(?:[\w./$][\w./$ -]*|"(?:[^"\\]|\\.)*"|'[^']*'):(?=\s|$)/y, 'key'],
    [/"(?:[^"\\]|\\.)*"?|'[^']*'?/y, 'text'],
    [/(?<![\w.-])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.:-])/y, 'number'],
    [/\b(?:true|false|null|yes|no)\b(?=\s*$)/y, 'word'],
    [/[&*][\w-]+/y, 'name'],
  ],
  python: [
    [/#.*/y, 'comment'],
    [/[rbfuRBFU]{0,2}(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)/y, 'text'],
    [/(?<=\b(?:def|class)\s+)\w+/y, 'name'],
    [/@[\w.]+/y, 'name'],
    [/\b(?:False|None|True|and|as|assert|async|await|break|case|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|match|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b/y, 'word'],
    [/\b(?:0[xX][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b/y, 'number'],
  ],
  log: [
    [/^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\s\]]*\]?/y, 'quiet'],
    [/\b(?:ERROR|FATAL|CRITICAL|Traceback|[A-Z]\w*(?:Error|Exception))\b/y, 'error'],
    [/\b(?:WARN|WARNING|\w*Warning)\b/y, 'warning'],
    [/\b(?:INFO|DEBUG|TRACE)\b/y, 'quiet'],
    [/"[^"]*"/y, 'text'],
    [/\b\d+(?:\.\d+)?(?:%|ms|s|MB|GB|KB)?\b/y, 'number'],
  ],
}

/** As much of a line as is coloured; what follows is shown plain, so that one line of a megabyte costs no more than others. */
const coloured = 2000

export function highlight(line: string, language: Language, open: Open = ''): { pieces: Piece[]; open: Open } {
  if (language === 'text') return { pieces: [{ text: line }], open: '' }
  const pieces: Piece[] = []
  let at = 0
  let plain = 0
  const upTo = Math.min(line.length, coloured)
  const take = (end: number, tone: Tone) => {
    if (at > plain) pieces.push({ text: line.slice(plain, at) })
    pieces.push({ text: line.slice(at, end), tone })
    at = end
    plain = end
  }
  /** Takes a text in three quotes to its end on this line, or leaves it open. */
  const long = (quotes: Open, from: number): Open => {
    const end = line.indexOf(quotes, from)
    take(end < 0 ? line.length : end + 3, 'text')
    return end < 0 ? quotes : ''
  }
  if (open) open = long(open, 0)
  while (at < upTo) {
    const quotes = language === 'python' ? /[rbfuRBFU]{0,2}("""|''')/y : undefined
    if (quotes) {
      quotes.lastIndex = at
      const found = quotes.exec(line)
      if (found) {
        open = long(found[1] as Open, at + found[0].length)
        continue
      }
    }
    const match = firstMatch(line, at, language)
    if (match) take(at + match.length, match.tone)
    else at = skipWord(line, at)
  }
  if (line.length > plain) pieces.push({ text: line.slice(plain) })
  return { pieces, open }
}

function firstMatch(line: string, at: number, language: Exclude<Language, 'text'>): { length: number; tone: Tone } | undefined {
  for (const [rule, tone] of rules[language]) {
    rule.lastIndex = at
    const found = rule.exec(line)
    if (found && found[0].length > 0) return { length: found[0].length, tone }
  }
  return undefined
}

/** Behind a word in which nothing can begin, else behind one character. */
function skipWord(line: string, at: number): number {
  const word = /\w+/y
  word.lastIndex = at
  return word.test(line) ? word.lastIndex : at + 1
}

const byEnding: Record<string, Language> = {
  '.json': 'json',
  '.jsonl': 'json',
  '.ndjson': 'json',
  '.ipynb': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.toml': 'yaml',
  '.py': 'python',
  '.log': 'log',
}

/** The language of a file, from its name, then from how it begins. */
export function languageOf(name: string, text: string): Language {
  const base = name.slice(name.lastIndexOf('/') + 1)
  const known = byEnding[/\.[a-z0-9]+$/i.exec(base)?.[0].toLowerCase() ?? '']
  if (known) return known
  if (base === 'MLmodel') return 'yaml'
  if (base.includes('.')) return 'text'
  const start = text.slice(0, 4000)
  if (/^\s*[[{]\s*(?:"|[[{]|\d)/.test(start)) return 'json'
  if (/^(?:from [\w.]+ import |import \w+|def \w+\(|#!.*python)/m.test(start)) return 'python'
  if (/^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/m.test(start) || /^(?:INFO|WARN|ERROR|DEBUG)\b/m.test(start)) return 'log'
  return 'text'
}
