import type { LogLine } from '../api/types'
import { readable } from './buffer'

/** A line of which only this much is shown; the log has all of it. */
const longest = 2000

/** The last lines that a step printed as errors or, where there are none, at all; without empty ones at the end. */
export function lastLines(lines: readonly LogLine[], most: number): string[] {
  const errors = lines.filter((l) => l.stream === 'stderr')
  const texts = (errors.some((l) => l.text.trim() !== '') ? errors : lines).map((l) => readable(l.text))
  while (texts.at(-1)?.trim() === '') texts.pop()
  return texts.slice(-most).map((text) => (text.length > longest ? `${text.slice(0, longest)}…` : text))
}
