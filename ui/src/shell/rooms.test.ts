import { expect, test } from 'vitest'
import { groups, isIn } from './rooms'

const rooms = groups.flatMap((g) => g.rooms)
const at = (location: string) => rooms.filter((room) => isIn(room, location)).map((room) => room.name)

test('each address lies in one room at most', () => {
  expect(at('/')).toEqual(['Home'])
  expect(at('/runs')).toEqual(['Runs'])
  expect(at('/runs/1/tasks/2')).toEqual(['Runs'])
  expect(at('/recurring-runs')).toEqual(['Recurring runs'])
  expect(at('/triggers/1')).toEqual(['Triggers'])
  expect(at('/tracked-runs/1')).toEqual(['Experiments'])
  expect(at('/compare')).toEqual(['Experiments'])
  expect(at('/runsomething')).toEqual([])
})

test('no two rooms have one address or one name', () => {
  expect(new Set(rooms.map((r) => r.href)).size).toBe(rooms.length)
  expect(new Set(rooms.map((r) => r.name)).size).toBe(rooms.length)
})
