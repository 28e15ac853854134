// The pages one can go to from everywhere, in groups. A new room is a line here and its routes in app.tsx.
import type { IconName } from '../parts/icons'

export interface Room {
  href: string
  name: string
  icon: IconName
  /** First parts of addresses of other pages that belong to this room. */
  also?: readonly string[]
}

export interface Group {
  /** The head of the group; the first has none. */
  name?: string
  rooms: readonly Room[]
}

export const groups: readonly Group[] = [
  { rooms: [{ href: '/', name: 'Home', icon: 'home' }] },
  {
    name: 'Work',
    rooms: [
      { href: '/runs', name: 'Runs', icon: 'runs' },
      { href: '/recurring-runs', name: 'Recurring runs', icon: 'loop' },
      { href: '/triggers', name: 'Triggers', icon: 'trigger' },
      { href: '/pipelines', name: 'Pipelines', icon: 'pipeline' },
    ],
  },
  {
    name: 'Results',
    rooms: [
      { href: '/experiments', name: 'Experiments', icon: 'flask', also: ['/tracked-runs', '/compare'] },
      { href: '/models', name: 'Models', icon: 'model' },
      { href: '/endpoints', name: 'Endpoints', icon: 'endpoint', also: ['/graphs'] },
      { href: '/artifacts', name: 'Artifacts', icon: 'artifact' },
      { href: '/data', name: 'Data', icon: 'data', also: ['/drift', '/checks'] },
    ],
  },
  { name: 'Server', rooms: [{ href: '/system', name: 'System', icon: 'system' }] },
]

/** Says whether an address is a page of a room. */
export function isIn(room: Room, location: string): boolean {
  if (room.href === '/') return location === '/'
  return [room.href, ...(room.also ?? [])].some((a) => location === a || location.startsWith(`${a}/`))
}
