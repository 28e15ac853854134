// What the system page asks and does.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { apiUrl, getJson, request, send } from './client'
import type { Swept, SystemStatus } from './types'

/** How the server is. */
export function useSystem() {
  return useQuery({ queryKey: ['system'], meta: { topics: ['endpoints'] }, queryFn: ({ signal }) => getJson<SystemStatus>(apiUrl(['system']), signal) })
}

export function useMeasureDisk() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: () => send('POST', apiUrl(['system', 'measure'])),
    onSettled: () => client.invalidateQueries({ queryKey: ['system'] }),
  })
}

/** Removes stored content that nothing needs, then has the disk measured again. */
export function useFreeUnused() {
  const measure = useMeasureDisk()
  return useMutation({
    mutationFn: async () => {
      const response = await request(apiUrl(['gc']), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' })
      return (await response.json()) as Swept
    },
    onSuccess: () => measure.mutateAsync(),
  })
}
