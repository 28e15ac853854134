// What the screens ask about the logged requests of an endpoint, and about how good its predictions were.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from './client'
import type { LoggedPage, Quality, RequestLog } from './types'

/** How much is logged, and what is left out; it follows the requests. */
export function useRequestLog(name: string) {
  return useQuery({ queryKey: ['endpoints', 'request log', name], queryFn: ({ signal }) => getJson<RequestLog>(apiUrl(['endpoints', name, 'requests', 'log']), signal) })
}

/** Which logged requests are listed; empty texts are without a bound. */
export interface RequestFilter {
  version: string
  role: string
  status: string
  since: string
  until: string
}

/** Logged requests, the newest first. They are not asked for again by themselves: who reads further down keeps the place. */
export function useLoggedRequests(name: string, filter: RequestFilter) {
  return useInfiniteQuery({
    queryKey: ['logged requests', name, filter],
    initialPageParam: '',
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam, signal }) => getJson<LoggedPage>(apiUrl(['endpoints', name, 'requests', 'list'], { ...filter, limit: 100, page_token: pageParam }), signal),
    getNextPageParam: (last) => last.next_page_token,
  })
}

/** How good predictions were, as far as the truth is known. */
export function useQuality(name: string, since: string, window: string) {
  return useQuery({
    queryKey: ['endpoints', 'quality', name, since, window],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => getJson<Quality>(apiUrl(['endpoints', name, 'quality'], { since, window }), signal),
  })
}
