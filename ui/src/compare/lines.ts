// Two texts side by side, by lines.

export interface Row {
  kind: 'same' | 'changed'
  /** Numbers of the lines, from 1; undefined on the side that has none. */
  left?: number
  right?: number
  before?: string
  after?: string
}

/** The longest list of edits that is looked for; beyond it, everything between the equal ends counts as changed. */
const mostEdits = 1500

/** Pairs the equal lines of two texts as Myers' method does, with the fewest others. */
function matches(a: readonly string[], b: readonly string[]): [number, number][] {
  const [n, m] = [a.length, b.length]
  const most = Math.min(n + m, mostEdits)
  const size = 2 * most + 3
  const v = new Int32Array(size)
  const history: Int32Array[] = []
  const at = (k: number) => v[k + most + 1] ?? 0
  for (let d = 0; d <= most; d++) {
    history.push(v.slice())
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? at(k + 1) : at(k - 1) + 1
      while (x < n && x - k < m && a[x] === b[x - k]) x++
      v[k + most + 1] = x
      if (x >= n && x - k >= m) return walk(history, n, m, most)
    }
  }
  return []
}

/** Goes back along the edits and collects the equal lines. */
function walk(history: readonly Int32Array[], n: number, m: number, most: number): [number, number][] {
  const pairs: [number, number][] = []
  let [x, y] = [n, m]
  for (let d = history.length - 1; d >= 0; d--) {
    const v = history[d] ?? new Int32Array()
    const at = (k: number) => v[k + most + 1] ?? 0
    const k = x - y
    const from = k === -d || (k !== d && at(k - 1) < at(k + 1)) ? k + 1 : k - 1
    const startX = d === 0 ? 0 : at(from)
    const startY = d === 0 ? 0 : startX - from
    while (x > startX && y > startY) {
      if (d > 0 && x === (from === k + 1 ? startX : startX + 1) && y === (from === k + 1 ? startY + 1 : startY)) break
      pairs.push([--x, --y])
    }
    ;[x, y] = [startX, startY]
  }
  return pairs.toReversed()
}

const linesOf = (text: string) => {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}

/** The rows of two texts side by side. */
export function sideBySide(before: string, after: string): Row[] {
  const [a, b] = [linesOf(before), linesOf(after)]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const middle = matches(a.slice(head, a.length - tail), b.slice(head, b.length - tail)).map(([i, j]): [number, number] => [i + head, j + head])
  const pairs: [number, number][] = [
    ...Array.from({ length: head }, (_, i): [number, number] => [i, i]),
    ...middle,
    ...Array.from({ length: tail }, (_, i): [number, number] => [a.length - tail + i, b.length - tail + i]),
    [a.length, b.length],
  ]
  const rows: Row[] = []
  let [i, j] = [0, 0]
  for (const [x, y] of pairs) {
    while (i < x || j < y) {
      const row: Row = { kind: 'changed' }
      if (i < x) Object.assign(row, { left: i + 1, before: a[i++] })
      if (j < y) Object.assign(row, { right: j + 1, after: b[j++] })
      rows.push(row)
    }
    if (x < a.length && y < b.length) rows.push({ kind: 'same', left: ++i, right: ++j, before: a[x] ?? '', after: b[y] ?? '' })
  }
  return rows
}

/** Rows with some equal lines around changes; a number stands for the equal lines that are left out. */
export function around(rows: readonly Row[], context = 3): (Row | number)[] {
  const near = rows.map(() => false)
  for (const [i, row] of rows.entries()) if (row.kind === 'changed') near.fill(true, Math.max(0, i - context), i + context + 1)
  const out: (Row | number)[] = []
  for (const [i, row] of rows.entries()) {
    const last = out.at(-1)
    if (near[i]) out.push(row)
    else if (typeof last === 'number') out[out.length - 1] = last + 1
    else out.push(1)
  }
  return out
}
