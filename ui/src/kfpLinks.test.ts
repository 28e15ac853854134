import { expect, test } from 'vitest'
import { fromKfpLink } from './kfpLinks'

test.each([
  ['#/runs/details/4fa84e24-386c', '/runs/4fa84e24-386c'],
  ['#/experiments/details/70bfe94f', '/runs?experiment=70bfe94f'],
  ['#/pipelines/details/1/version/2', '/runs'],
  ['#/runs/details/', null],
  ['#graph', null],
  ['', null],
])('the link %s of kfp.Client leads to %s', (hash, want) => {
  expect(fromKfpLink(hash)).toBe(want)
})
