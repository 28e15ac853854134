import { describe, expect, test } from 'vitest'
import { around, type Row, sideBySide } from './lines'

const texts = (rows: readonly Row[]) => rows.map((r) => `${r.kind === 'same' ? ' ' : '*'} ${r.before ?? ''}|${r.after ?? ''}`)
const letters = (text: string) => `${[...text].join('\n')}\n`

/** The length of the longest common list of lines, the plain way. */
function longest(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, () => 0)
  for (const x of a) {
    let corner = 0
    for (let j = 1; j <= b.length; j++) {
      const over = row[j] ?? 0
      row[j] = x === b[j - 1] ? corner + 1 : Math.max(over, row[j - 1] ?? 0)
      corner = over
    }
  }
  return row[b.length] ?? 0
}

describe('two texts side by side', () => {
  test('changed lines stand beside each other, added and removed ones beside a blank', () => {
    expect(texts(sideBySide('a\nb\nc\n', 'a\nx\nc\nd\n'))).toEqual(['  a|a', '* b|x', '  c|c', '* |d'])
    expect(sideBySide('a\nb', 'a\nb\n').every((r) => r.kind === 'same')).toBe(true)
    expect(texts(sideBySide('', 'a'))).toEqual(['* |a'])
    expect(sideBySide('', '')).toEqual([])
  })

  test('as many lines as can be are equal, and both texts are there in full', () => {
    let state = 5
    const next = () => (state = (state * 16_807) % 2_147_483_647)
    for (let round = 0; round < 300; round++) {
      const [a, b] = [0, 1].map(() => Array.from({ length: next() % 14 }, () => 'abcd'[next() % 4] ?? 'a').join('')) as [string, string]
      const rows = sideBySide(letters(a), letters(b))
      if (a) expect(rows.flatMap((r) => r.before ?? []).join('')).toBe(a)
      if (b) expect(rows.flatMap((r) => r.after ?? []).join('')).toBe(b)
      expect(rows.filter((r) => r.kind === 'same').every((r) => r.before === r.after)).toBe(true)
      if (a && b) expect(rows.filter((r) => r.kind === 'same')).toHaveLength(longest(a, b))
    }
  })

  test('texts without a line in common are told apart in time', () => {
    const many = (word: string) => Array.from({ length: 20_000 }, (_, i) => `${word} ${i}`).join('\n')
    expect(sideBySide(many('a'), many('b'))).toHaveLength(20_000)
  })

  test('equal lines far from a change are counted', () => {
    const same = (n: number) => Array.from({ length: n }, (_, i) => `line ${i}`).join('\n')
    const rows = around(sideBySide(`${same(10)}\nold\n`, `${same(10)}\nnew\n`))
    expect(rows[0]).toBe(7)
    expect(rows).toHaveLength(1 + 3 + 1)
    expect(around(sideBySide('a', 'a'))).toEqual([1])
  })
})
