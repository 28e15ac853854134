// What lists of runs can be filtered by.
import { states } from '../api/types'
import type { Words } from '../experiments/complete'

export const runWords: Words = {
  attributes: ['name', 'state', 'pipeline', 'experiment', 'created', 'finished', 'run_id', 'description', 'recurring_run_id'],
  ordered: ['created', 'finished'],
  values: { state: states.map((s) => `'${s}'`) },
}

export const example = "name ILIKE '%train%' AND params.lr = '0.1' AND created > '2026-01-31'"
