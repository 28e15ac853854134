// Where a file is kept, and the addresses at which the server shows it. Whoever shows files says this once.
import { useQuery } from '@tanstack/react-query'
import { apiUrl, getJson } from '../api/client'
import type { MLmodel, Table } from '../api/types'

export type Place =
  | { kind: 'artifact'; id: string }
  /** A tracked run. */
  | { kind: 'run'; id: string }
  | { kind: 'version'; model: string; version: string }

function segments(place: Place): readonly string[] {
  switch (place.kind) {
    case 'artifact':
      return ['artifacts', place.id]
    case 'run':
      return ['tracked-runs', place.id]
    case 'version':
      return ['models', place.model, 'versions', place.version]
  }
}

/** Content of artifacts never changes; a client may put another file in the place of the others. */
export const isFixed = (place: Place) => place.kind === 'artifact'

/** The bytes of a file. Without a path a directory artifact comes as a tar file. */
export function contentOf(place: Place, path: string, download = false): string {
  return apiUrl([...segments(place), 'content'], { path, download: download || undefined })
}

/** The parts that all addresses of a place begin with, for keys of queries. */
const topic = { artifact: 'artifacts', run: 'tracked-runs', version: 'models' } as const

export function useTable(place: Place, path: string) {
  return useQuery({
    queryKey: [topic[place.kind], 'table', place, path],
    queryFn: ({ signal }) => getJson<Table>(apiUrl([...segments(place), 'table'], { path, limit: 100 }), signal),
    staleTime: isFixed(place) ? Infinity : 0,
    retry: false,
  })
}

export function useMLmodel(place: Place, path: string) {
  return useQuery({
    queryKey: [topic[place.kind], 'mlmodel', place, path],
    queryFn: ({ signal }) => getJson<MLmodel>(apiUrl([...segments(place), 'mlmodel'], { path }), signal),
    staleTime: isFixed(place) ? Infinity : 0,
    retry: false,
  })
}
