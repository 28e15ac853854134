import { describe, expect, it } from 'vitest'
import { highlight, languageOf } from './highlight'

const toned = (line: string, language: Parameters<typeof highlight>[1], open: Parameters<typeof highlight>[2] = '') =>
  highlight(line, language, open)
    .pieces.filter((p) => p.tone)
    .map((p) => `${p.tone}:${p.text}`)

describe('highlight', () => {
  it.each([
    ['json', '  "a\\"b": [1.5e3, "x", null],', ['key:"a\\"b"', 'number:1.5e3', 'text:"x"', 'word:null']],
    ['yaml', "- depth: 5  # levels: 'x'", ['key:depth:', 'number:5', "comment:# levels: 'x'"]],
    ['python', "def fit(x): return f'{x}' + 0x1F  # half", ['word:def', 'name:fit', 'word:return', "text:f'{x}'", 'number:0x1F', 'comment:# half']],
    ['log', '2026-01-02T03:04:05Z ERROR ValueError: took 12ms', ['quiet:2026-01-02T03:04:05Z', 'error:ERROR', 'error:ValueError', 'number:12ms']],
    ['text', '{"a": 1}', []],
  ] as const)('colours %s', (language, line, want) => expect(toned(line, language)).toEqual(want))

  it('keeps every character, also of lines that are strange or long', () => {
    for (const line of ['', '"', "'''", '\u202e<b>"x', 'é"\\', 'x'.repeat(1_000_000), '"'.repeat(100_000)]) {
      for (const language of ['json', 'yaml', 'python', 'log', 'text'] as const) {
        expect(highlight(line, language).pieces.map((p) => p.text).join('')).toBe(line)
      }
    }
  })

  it('goes on with a text in three quotes on the next line', () => {
    const first = highlight('x = """a', 'python')
    expect(first.open).toBe('"""')
    const second = highlight('if b""" + 1', 'python', first.open)
    expect(second.open).toBe('')
    expect(second.pieces[0]).toEqual({ text: 'if b"""', tone: 'text' })
  })
})

describe('languageOf', () => {
  it.each([
    ['train.py', '', 'python'],
    ['x', 'import os\n', 'python'],
    ['model/MLmodel', 'flavors: {}', 'yaml'],
    ['x', '2026-01-02 03:04:05 started', 'log'],
    ['notes.txt', '{"a": 1}', 'text'],
    ['x', '[1, 2]', 'json'],
  ])('of %j', (name, text, want) => expect(languageOf(name, text)).toBe(want))
})
