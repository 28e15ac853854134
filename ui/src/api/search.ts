// The search of the command palette.
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { apiUrl, getJson } from './client'
import type { FoundKind, FoundList } from './types'

/**
 * Looks for a text a moment after it was last changed; kind narrows it. A search that is no longer wanted is given up, here and by the
 * server.
 */
export function useSearch(text: string, kind: FoundKind | undefined) {
  const wanted = useLater(text, 120)
  const found = useQuery({
    queryKey: ['search', wanted, kind],
    enabled: wanted !== '',
    queryFn: ({ signal }) => getJson<FoundList>(apiUrl(['search'], { q: wanted, kind, limit: kind ? 20 : 5 }), signal),
    placeholderData: keepPreviousData,
    gcTime: 60_000,
    retry: false,
  })
  return { found: text === '' ? [] : (found.data?.found ?? []), error: found.error, busy: text !== '' && (found.isFetching || wanted !== text) }
}

function useLater(text: string, ms: number): string {
  const [later, setLater] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setLater(text), ms)
    return () => clearTimeout(timer)
  }, [text, ms])
  return later
}
