// How figures of profiles and reports are written.
import { number } from '../format/value'

/** A count as a share: "43 (14 %)". */
export function share(n: number, of: number): string {
  if (n === 0) return '0'
  const percent = (100 * n) / Math.max(1, of)
  return `${number(n)} (${percent >= 10 ? Math.round(percent) : percent < 0.1 ? '<0.1' : percent.toFixed(1)} %)`
}

/** A figure, with "≈" before an estimate. */
export function figure(n: number | null | undefined, estimated = false): string {
  if (n === undefined || n === null) return '–'
  return estimated ? `≈ ${Number(n.toPrecision(3)).toLocaleString('en-GB')}` : number(n)
}

/** A score or an effect: three significant digits. */
export function score(n: number | null | undefined): string {
  if (n === undefined || n === null) return '–'
  if (n !== 0 && Math.abs(n) < 0.001) return n.toExponential(1)
  return String(Number(n.toPrecision(3)))
}
