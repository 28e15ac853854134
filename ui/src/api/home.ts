// What the home page asks, in one request.
import { useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from './client'
import { useEarly } from './early'
import type { HomePage } from './types'

export function useHome() {
  const url = apiUrl(['home'])
  const early = useEarly<HomePage>(url)
  return useQuery({
    queryKey: ['runs', 'home'],
    ...early,
    queryFn: ({ signal }) => getJson<HomePage>(url, signal),
    meta: { topics: ['models', 'recurring-runs', 'tracked-runs'] },
  })
}
