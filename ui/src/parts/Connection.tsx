import { useConnected } from '../api/live'
import css from './Connection.module.css'
import { Icon } from './icons'

/** Says, at the bottom of every page, that what it shows may be old because the server does not answer. */
export function Connection() {
  const connected = useConnected()
  return (
    <div role="status" className={css.place}>
      {!connected && (
        <p className={css.lost}>
          <Icon name="warning" /> The server does not answer. What you see may be old; trying again…
        </p>
      )}
    </div>
  )
}
