// @vitest-environment node
import { expect, test } from 'vitest'
import type { Run } from '../api/types'
import { arrived, beginning, type Link, pagesIn, placeOf, rowsOf, within } from './window'

/** Runs with these numbers, of which the highest is the newest. */
const runs = (...numbers: number[]) => numbers.map((n) => ({ id: `r${n}`, created_at: `2026-01-01T00:00:00.${String(n).padStart(6, '0')}Z` }) as Run)
const page = (next: string, ...numbers: number[]) => ({ runs: runs(...numbers), ...(next ? { next_page_token: next } : {}) })
const ids = (list: readonly Run[]) => list.map((run) => run.id).join(' ')

const second = (links: readonly Link[], list: Run[]) => (links[1] ? within(links[1], list) : [])

const two = () => arrived(arrived(beginning, 0, page('a', 9, 8, 7)), 1, page('b', 6, 5, 4))

test('pages are known one after the other, and one more than were there', () => {
  expect(two().map((link) => [link.token, link.count])).toEqual([
    ['', 3],
    ['a', 3],
    ['b', undefined],
  ])
  expect(rowsOf(two(), 1000)).toBe(106)
  expect(rowsOf(two(), 7)).toBe(7)
  expect(rowsOf(beginning, 2)).toBe(2)
  expect(arrived(beginning, 0, page('', 1))).toHaveLength(1)
})

test('a row is found on its page', () => {
  expect(placeOf(two(), 4)).toEqual({ page: 1, row: 1 })
  expect(placeOf(two(), 50)).toEqual({ page: 2, row: 44 })
  expect(pagesIn(two(), 1, 4)).toEqual([0, 1])
  expect(pagesIn(two(), 3, 3)).toEqual([1])
  expect(pagesIn(two(), 6, 9)).toEqual([2])
})

test('what did not change leaves everything as it is', () => {
  const links = two()
  expect(arrived(links, 0, page('a', 9, 8, 7))).toBe(links)
  expect(arrived(links, 1, page('b', 6, 5, 4))).toBe(links)
})

test('new runs move the first page, and what is after it is asked for anew', () => {
  expect(arrived(two(), 0, page('a2', 10, 9, 8)).map((link) => link.token)).toEqual(['', 'a2'])
})

test('a page further down keeps its place when runs of it are deleted', () => {
  const links = arrived(two(), 1, page('c', 6, 4, 3))
  expect(links.map((link) => link.count)).toEqual([3, 2, undefined])
  expect(ids(second(links, runs(6, 4, 3)))).toBe('r6 r4')
  expect(links[2]?.token).toBe('b')
})

test('runs of the same moment are told apart by their ids, as the server does', () => {
  const at = '2026-01-01T00:00:00Z'
  const same = (id: string) => ({ id, created_at: at }) as Run
  const links = arrived(arrived(beginning, 0, page('a', 9)), 1, { runs: [same('c'), same('b')] })
  expect(ids(second(links, [same('c'), same('b'), same('a')]))).toBe('c b')
})
