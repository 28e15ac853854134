// Sizes, numbers, digests and parameter values as people read them.

const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** "812 B", "1.4 MB"; a KB is 1024 B. */
export function bytes(n: number): string {
  let value = n
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? 'B'}`
}

/** A number with at most six significant digits. */
export function number(n: number): string {
  if (Number.isInteger(n) && Math.abs(n) < 1e15) return n.toLocaleString('en-GB')
  const size = Math.abs(n)
  if (size >= 1e9 || (size < 1e-4 && size > 0)) return n.toExponential(4).replace(/\.?0+e/, 'e')
  return String(Number(n.toPrecision(6)))
}

/** "sha256:3fa9c1d2…" */
export function shortDigest(digest: string): string {
  const at = digest.indexOf(':')
  return digest.length > at + 13 ? `${digest.slice(0, at + 13)}…` : digest
}

/** A count with its noun: "1 task", "12 tasks". */
export function count(n: number, noun: string): string {
  return `${n.toLocaleString('en-GB')} ${noun}${n === 1 ? '' : 's'}`
}

export type ValueType = 'text' | 'number' | 'boolean' | 'list' | 'struct' | 'null'

/** The type of a parameter's value, in KFP's words. */
export function typeOf(value: unknown): ValueType {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'list'
  switch (typeof value) {
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'object':
      return 'struct'
    default:
      return 'text'
  }
}

/** The whole value as text: a string as it is, everything else as indented JSON. */
export function valueText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? 'null')
}

/** The value on one line. */
export function valueLine(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null')
}
