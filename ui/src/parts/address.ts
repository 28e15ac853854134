import { useCallback } from 'react'
import { useSearchParams } from 'wouter'

export type Change = Record<string, string | readonly string[] | undefined>

/** Reads the query of the address, and changes some of its keys: undefined and "" take one away, a list repeats it. */
export function useAddress(): [URLSearchParams, (change: Change) => void] {
  const [search, setSearch] = useSearchParams()
  const change = useCallback(
    (keys: Change) =>
      setSearch(
        (old) => {
          const next = new URLSearchParams(old)
          for (const [key, value] of Object.entries(keys)) {
            next.delete(key)
            if (Array.isArray(value)) for (const one of value) next.append(key, one)
            else if (value) next.set(key, value as string)
          }
          return next
        },
        { replace: true },
      ),
    [setSearch],
  )
  return [search, change]
}
