import { expect, test } from 'vitest'
import { areaWord, share } from './areas'

test('a share is a percentage, and a little of it is never nothing', () => {
  expect(share(50, 200)).toBe(25)
  expect(share(1, 1e9)).toBe(0.5)
  expect(share(0, 5)).toBe(0)
  expect(share(5, 0)).toBe(0)
  expect(share(7, 5)).toBe(100)
})

test('known folders are explained, others stand for themselves', () => {
  expect(areaWord('blobs')).toBe('Artifacts and files, by content')
  expect(areaWord('else')).toBeUndefined()
})
