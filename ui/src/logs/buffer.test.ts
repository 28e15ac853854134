import { describe, expect, it } from 'vitest'
import type { LogLine } from '../api/types'
import { append, cutAt, emptyBuffer, findLines, plainText, readable } from './buffer'

const line = (text: string): LogLine => ({ at: '2026-01-01T00:00:00Z', stream: 'stdout', text })

describe('append', () => {
  it('keeps the newest lines and says how many went', () => {
    let buffer = append(emptyBuffer, ['a', 'b', 'c'].map(line), 4)
    buffer = append(buffer, ['d', 'e', 'f'].map(line), 4)
    expect(buffer.lines.map((l) => l.text)).toEqual(['c', 'd', 'e', 'f'])
    expect(buffer.dropped).toBe(2)
  })
})

describe('readable', () => {
  it.each([
    ['\u001b[31mred\u001b[0m plain', 'red plain'],
    ['\u001b]8;;http://x\u0007link\u001b]8;;\u0007', 'link'],
    ['\\x1b[1;31mred\\x1b[0m as the server writes it', 'red as the server writes it'],
    ['\\x1b]8;;http://x\\x07link\\x1b]8;;\\x07 \\x1b]8;;http://y\\x1b\\other', 'link other'],
    ['  0%|   \r 50%|#  \r100%|###', '100%|###'],
    ['done\r', 'done'],
    ['a [not] an escape', 'a [not] an escape'],
  ])('turns %j into %j', (text, want) => expect(readable(text)).toBe(want))
})

describe('findLines', () => {
  it('finds a text in any case, and nothing for an empty one', () => {
    const lines = ['Epoch 1', 'loss', 'EPOCH 2'].map(line)
    expect(findLines(lines, 'epoch')).toEqual([0, 2])
    expect(findLines(lines, '')).toEqual([])
  })
})

describe('cutAt', () => {
  it('puts matches at odd places and loses nothing', () => {
    expect(cutAt('an Anna', 'an')).toEqual(['', 'an', ' ', 'An', 'na'])
    expect(cutAt('abc', 'x')).toEqual(['abc'])
    expect(cutAt('abc', '')).toEqual(['abc'])
  })
})

describe('plainText', () => {
  it('writes lines as the step did, or with time and stream', () => {
    expect(plainText([line('x')], false)).toBe('x\n')
    expect(plainText([line('x')], true)).toBe('2026-01-01T00:00:00Z stdout x\n')
  })
})
