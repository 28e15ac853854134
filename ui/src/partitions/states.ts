// The states of partitions as words and signs.
import type { Partition } from '../api/types'
import type { IconName } from '../parts/icons'

export type PartitionState = Partition['state']

/** In the order in which they matter. */
export const states: readonly PartitionState[] = ['failed', 'stale', 'missing', 'running', 'done']

export const signs: Record<PartitionState, IconName> = { done: 'succeeded', failed: 'failed', running: 'running', stale: 'turn', missing: 'minus' }

/** Those that a backfill may be for, and which of them it is for at first. */
export const chosen: Record<Exclude<PartitionState, 'running'>, boolean> = { missing: true, failed: true, stale: false, done: false }
