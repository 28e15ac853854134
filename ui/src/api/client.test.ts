import { describe, expect, it } from 'vitest'
import { apiUrl } from './client'

describe('apiUrl', () => {
  it('escapes segments and values and leaves out what is absent', () => {
    expect(apiUrl(['runs', 'a/../b'], { q: 'x&y=1', state: '', page: undefined, follow: true })).toBe(
      '/api/v1/runs/a%2F..%2Fb?q=x%26y%3D1&follow=true',
    )
  })
})
