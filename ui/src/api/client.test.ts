import { describe, expect, it } from 'vitest'
import { apiUrl, fieldsOf } from './client'

describe('apiUrl', () => {
  it('escapes segments and values and leaves out what is absent', () => {
    expect(apiUrl(['runs', 'a/../b'], { q: 'x&y=1', state: '', page: undefined, follow: true })).toBe(
      '/api/v1/runs/a%2F..%2Fb?q=x%26y%3D1&follow=true',
    )
  })
})

it('two mistakes at one place are both told', () => {
  const at = (location: string, message: string) => ({ location, message })
  const problem = { type: 'about:blank', errors: [at('body.text:1', 'a'), at('body.text:1', 'b'), at('body.name', 'c'), at('query.q', 'd')] }
  expect([...fieldsOf(problem)]).toEqual([['text:1', 'a; b'], ['name', 'c']])
})
