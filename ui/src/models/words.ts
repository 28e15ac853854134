// What a deployed version gets of the requests to its endpoint, in words.
import type { Deployment } from '../api/types'
import { number } from '../format/value'

const states: Partial<Record<Deployment['state'], string>> = { BUILDING: 'being prepared', LOADING: 'loading', FAILED: 'failed', DRAINING: 'on its way out' }

/** "version 3, 25 %, loading". */
export function deploymentWords({ version, percent, shadow, rules, state }: Deployment, named: boolean): string {
  const parts = [
    ...(percent > 0 ? [`${number(percent)} %`] : []),
    ...(rules && rules.length > 0 ? ['by rules'] : []),
    ...(shadow ? [`copies of ${number(shadow)} %`] : []),
  ]
  const got = parts.length > 0 ? parts : ['dark']
  return [...(named ? [`version ${version}`] : []), ...got, ...(states[state] ? [states[state]] : [])].join(', ')
}
