import { expect, test } from 'vitest'
import type { Found } from '../api/types'
import { foundHref, match, readWanted, sections } from './entries'

test('a word with a colon narrows the search, a digest does not', () => {
  expect(readWanted('run: nightly ')).toEqual({ text: 'nightly', kind: 'run' })
  expect(readWanted('Models:fares@champion')).toEqual({ text: 'fares@champion', kind: 'model' })
  expect(readWanted('sha256:3fa9')).toEqual({ text: 'sha256:3fa9' })
  expect(readWanted('  a: b')).toEqual({ text: 'a: b' })
  expect(readWanted('page:')).toEqual({ text: '', kind: 'page' })
})

test('a beginning is better than a later word, and the middle of a word is none', () => {
  expect(match('Recurring runs', 'rec')).toBe(0)
  expect(match('Recurring runs', 'RUN')).toBe(1)
  expect(match('Recurring runs', 'cur')).toBeUndefined()
  expect(match('Recurring runs', 'x')).toBeUndefined()
})

const found: Found[] = [
  { kind: 'run', id: 'r1', name: 'nightly', state: 'FAILED', detail: 'p' },
  { kind: 'model', id: 'a/b ü', name: 'a/b ü', version: '3', alias: 'champion' },
]

test('what was found stands between pages and actions, in the order of kinds', () => {
  const theme = { id: 'dark', name: 'Theme: dark', icon: 'moon' as const }
  const names = (input: string) => sections(readWanted(input), [theme], found).map((s) => `${s.name} ${s.entries.map((e) => e.name).join('|')}`)
  expect(names('run')).toEqual(['Pages Runs|Recurring runs', 'Runs nightly', 'Models a/b ü@champion'])
  expect(names('dark')).toEqual(['Runs nightly', 'Models a/b ü@champion', 'Actions Theme: dark'])
  expect(names('model: x')).toEqual(['Models a/b ü@champion'])
  expect(names('page: hom')).toEqual(['Pages Home'])
})

test('each leads to its page, whatever its name', () => {
  expect(found.map(foundHref)).toEqual(['/runs/r1', '/models/a%2Fb%20%C3%BC?version=3'])
  expect(foundHref({ kind: 'trigger', id: 't1', name: 'on data' })).toBe('/triggers/t1')
  expect(readWanted('triggers: data')).toEqual({ text: 'data', kind: 'trigger' })
})
