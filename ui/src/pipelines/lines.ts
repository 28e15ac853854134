// Which lines of a text went and which came.

export interface Line {
  sign: ' ' | '+' | '-'
  text: string
}

/** The longest table of lines against lines that is filled in: beyond, what lies between the equal ends counts as replaced. */
const most = 1_000_000

/** The lines of both texts in order, marked. */
export function diffLines(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0
  while (start < before.length && start < after.length && before[start] === after[start]) start++
  let end = 0
  while (end < before.length - start && end < after.length - start && before.at(-1 - end) === after.at(-1 - end)) end++
  const mark = (sign: Line['sign'], lines: readonly string[]): Line[] => lines.map((text) => ({ sign, text }))
  return [
    ...mark(' ', before.slice(0, start)),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...mark(' ', before.slice(before.length - end)),
  ]
}

function middle(a: readonly string[], b: readonly string[]): Line[] {
  const out: Line[] = []
  const width = b.length + 1
  // common[i * width + j] is how many lines a from i on and b from j on have in common, in order.
  const common = a.length * b.length <= most ? commonLines(a, b) : undefined
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const down = common?.[(i + 1) * width + j] ?? 0
    const right = common?.[i * width + j + 1] ?? 0
    if (i < a.length && j < b.length && common && a[i] === b[j]) {
      out.push({ sign: ' ', text: a[i] ?? '' })
      i++
      j++
    } else if (i < a.length && (j >= b.length || down >= right)) out.push({ sign: '-', text: a[i++] ?? '' })
    else out.push({ sign: '+', text: b[j++] ?? '' })
  }
  return out
}

function commonLines(a: readonly string[], b: readonly string[]): Uint32Array {
  const width = b.length + 1
  const table = new Uint32Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const at = i * width + j
      table[at] = a[i] === b[j] ? (table[at + width + 1] ?? 0) + 1 : Math.max(table[at + width] ?? 0, table[at + 1] ?? 0)
    }
  }
  return table
}

export interface Piece {
  lines: Line[]
  /** How many equal lines were left out before these. */
  skipped: number
}

/** The lines that differ with a few around them. */
export function pieces(lines: readonly Line[], around = 3): Piece[] {
  const near = new Set<number>()
  for (const [i, line] of lines.entries()) {
    if (line.sign === ' ') continue
    for (let at = Math.max(0, i - around); at <= i + around && at < lines.length; at++) near.add(at)
  }
  const out: Piece[] = []
  let skipped = 0
  for (const [i, line] of lines.entries()) {
    if (!near.has(i)) {
      skipped++
      continue
    }
    if (skipped > 0 || out.length === 0) out.push({ lines: [], skipped })
    out.at(-1)?.lines.push(line)
    skipped = 0
  }
  return out
}
