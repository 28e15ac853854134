import { describe, expect, it } from 'vitest'
import { partsOf } from './yaml'

describe('the parts of a line', () => {
  it.each([
    ['  name: comp-say', ['mark   ', 'key name', 'mark :', 'text  comp-say']],
    ['- a: 1', ['mark - ', 'key a', 'mark :', 'word  1']],
    ['- "x: y"', ['mark - ', 'text "x: y"']],
    ['    print("a:", b)', ['text     print("a:", b)']],
    ['# PIPELINE', ['comment # PIPELINE']],
    ['---', ['mark ---']],
    ['  enableCache: true', ['mark   ', 'key enableCache', 'mark :', 'word  true']],
  ])('of %s', (line, want) => {
    const parts = partsOf(line)
    expect(parts.map((p) => `${p.kind} ${p.text}`)).toEqual(want)
    expect(parts.map((p) => p.text).join('')).toBe(line)
  })
})
