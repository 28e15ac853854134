import { useId } from 'react'
import { useLocation } from 'wouter'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { type Group, groups, isIn } from './rooms'
import css from './Nav.module.css'

/** The links to all rooms, in groups; rail puts the names below the icons, for a narrow bar. */
export function Nav({ rail = false, onOpen }: { rail?: boolean; onOpen?: () => void }) {
  return (
    <nav aria-label="Main" className={`${css.nav} ${rail ? css.rail : ''}`}>
      {groups.map((group) => (
        <Rooms key={group.name ?? ''} group={group} onOpen={onOpen} />
      ))}
    </nav>
  )
}

function Rooms({ group, onOpen }: { group: Group; onOpen: (() => void) | undefined }) {
  const [location] = useLocation()
  const id = useId()
  return (
    <div className={css.group}>
      {group.name && (
        <p id={id} className={css.head}>
          {group.name}
        </p>
      )}
      <ul aria-labelledby={group.name ? id : undefined}>
        {group.rooms.map((room) => (
          <li key={room.href}>
            <Link href={room.href} className={css.room} aria-current={isIn(room, location) ? 'page' : undefined} onClick={onOpen}>
              <Icon name={room.icon} />
              {room.name}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  )
}
