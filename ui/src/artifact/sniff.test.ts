import { describe, expect, it } from 'vitest'
import { delimiterOf, parseTable, sniff } from './sniff'

const utf8 = (text: string) => new TextEncoder().encode(text)

describe('sniff', () => {
  it.each([
    ['<p>x</p>', '', 'system.HTML', 'html'],
    ['# Title', '', 'system.Markdown', 'markdown'],
    ['{"a": [1]}', '', 'system.Artifact', 'json'],
    ['a,b\n1,2\n3,4\n', '', 'system.Dataset', 'table'],
    ['a,b\n1,2\n', 'x.txt', 'system.Dataset', 'text'],
    ['one line', 'x.csv', 'system.Artifact', 'table'],
    ['{"a": 1}\n{"a": 2}\n', '', 'system.Dataset', 'table'],
    ['PAR1\u0015', 'x', 'system.Dataset', 'table'],
    ['flavors: {}', 'model/MLmodel', 'system.Model', 'mlmodel'],
    ['hello, world', '', 'system.Artifact', 'text'],
    ['<script>', '', 'system.Artifact', 'text'],
    ['<script>', 'notes.txt', 'system.HTML', 'text'],
    ['', '', 'system.Artifact', 'empty'],
  ])('shows %j named %j of type %s as %s', (text, name, type, want) => {
    expect(sniff(utf8(text), true, name, type).preview).toBe(want)
  })

  it('knows images by their first bytes and binary data by what is no text', () => {
    expect(sniff(new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0]), true, '', 'system.Artifact')).toMatchObject({ preview: 'image', mime: 'image/png' })
    expect(sniff(utf8('RIFF1234WEBPVP8 '), true, '', '').mime).toBe('image/webp')
    expect(sniff(new Uint8Array([1, 0, 2]), true, '', '').preview).toBe('binary')
    expect(sniff(new Uint8Array([0xff, 0xfe, 0x41]), true, '', '').preview).toBe('binary')
  })

  it('allows a character that is cut at the end of a part, but not at the end of a file', () => {
    const cut = utf8('é').subarray(0, 1)
    expect(sniff(cut, false, '', '').preview).toBe('text')
    expect(sniff(cut, true, '', '').preview).toBe('binary')
  })

  it('does not take half of a JSON file for JSON', () => {
    expect(sniff(utf8('{"a": [1'), false, '', '').preview).toBe('text')
  })
})

describe('parseTable', () => {
  it('keeps delimiters, line breaks and quotes inside quotes', () => {
    expect(parseTable('a,"b,1\n2 ""x"""\r\n,\r\n\r\nlast', ',', 10)).toEqual([['a', 'b,1\n2 "x"'], ['', ''], ['last']])
  })

  it('stops after the rows that are asked for', () => {
    expect(parseTable('1\n2\n3\n', ',', 2)).toEqual([['1'], ['2']])
  })
})

describe('delimiterOf', () => {
  it.each([
    ['a,b\n1,2\n', ','],
    ['a\tb\n1\t2\n', '\t'],
    ['a;b\n1,5;2\n', ';'],
    ['some prose, with commas\nand other lines\n', undefined],
    ['a,b', undefined],
  ])('finds in %j %j', (text, want) => expect(delimiterOf(text)).toBe(want))
})
