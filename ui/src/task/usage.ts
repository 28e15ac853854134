// What a step used, as lines of charts.
import type { Usage } from '../api/types'

export interface UsageLines {
  seconds: number[]
  /** Processors in use, between each sample and the one before: 2 is two of them all the time. */
  processors: number[]
  memory: number[]
}

export function usageLines({ seconds, cpu_seconds, memory_bytes }: Usage): UsageLines {
  const processors = seconds.map((at, i) => {
    const span = at - (seconds[i - 1] ?? 0)
    return span > 0 ? Math.max(0, (cpu_seconds[i] ?? 0) - (cpu_seconds[i - 1] ?? 0)) / span : 0
  })
  return { seconds: [...seconds], processors, memory: [...memory_bytes] }
}

/** Processors in use over the whole time that was measured. */
export function meanProcessors({ seconds, cpu_seconds }: Usage): number {
  const end = seconds.at(-1) ?? 0
  return end > 0 ? (cpu_seconds.at(-1) ?? 0) / end : 0
}
