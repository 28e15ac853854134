import { describe, expect, test } from 'vitest'
import { deploymentWords } from './words'

describe('what a deployed version gets', () => {
  const ready = { endpoint: 'fares', version: '3', state: 'READY' as const, percent: 0 }
  test.each([
    [{ ...ready, percent: 100 }, false, '100 %'],
    [{ ...ready, percent: 12.5 }, true, 'version 3, 12.5 %'],
    [{ ...ready, percent: 5, rules: ['staff'] }, false, '5 %, by rules'],
    [{ ...ready, shadow: 10 }, false, 'copies of 10 %'],
    [ready, false, 'dark'],
    [{ ...ready, state: 'FAILED' as const }, true, 'version 3, dark, failed'],
  ])('%o', (deployment, named, words) => expect(deploymentWords(deployment, named)).toBe(words))
})
