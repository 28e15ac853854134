// What the home page asks, in one request.
import { useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from './client'
import type { HomePage } from './types'

export function useHome() {
  return useQuery({
    queryKey: ['runs', 'home'],
    queryFn: ({ signal }) => getJson<HomePage>(apiUrl(['home']), signal),
    meta: { topics: ['models', 'recurring-runs', 'tracked-runs'] },
  })
}
