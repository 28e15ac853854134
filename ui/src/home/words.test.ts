import { expect, test } from 'vitest'
import type { ModelChange } from '../api/types'
import { causeTitle, changeWords, errorLines, reasonWord } from './words'

const change = (c: Partial<ModelChange>): string => changeWords({ at: '2026-01-01T00:00:00Z', kind: 'model_created', model: 'm', ...c }).text

test('a change of a model is half a sentence', () => {
  expect(change({ kind: 'alias_set', alias: 'champion', version: '3', before: '2' })).toBe('@champion is version 3, was 2')
  expect(change({ kind: 'alias_set', alias: 'champion', version: '3' })).toBe('@champion is version 3')
  expect(change({ kind: 'alias_removed', alias: 'champion', before: '3' })).toBe('@champion was removed from version 3')
  expect(change({ kind: 'stage_changed', version: '1', from: 'None', to: 'Production' })).toBe('version 1 went from None to Production')
  expect(change({ kind: 'version_created', version: '4' })).toBe('has version 4')
})

test('a cause names the task, or what lies outside of it', () => {
  expect(causeTitle({ task: 'loop/*/train', pipeline: 'p', reason: 'ExitError' })).toBe('loop/*/train in p')
  expect(causeTitle({ reason: 'EnvironmentError' })).toBe('The environment could not be built')
  expect(causeTitle({ pipeline: 'p', reason: 'Timeout' })).toBe('p: Took too long')
  expect(reasonWord('New')).toBe('New')
})

test('an error is cut to its first lines', () => {
  expect(errorLines('a\n\nb')).toBe('a\nb')
  expect(errorLines('1\n2\n3\n4', 2)).toBe('1\n2\n…')
})
