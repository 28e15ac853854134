import { Ago } from '../parts/now'
import css from './Endpoints.module.css'

/** Since when requests are counted: a server that starts begins with none. */
export function Since({ time }: { time: string | undefined }) {
  if (time === undefined) return null
  return (
    <span className={css.second} title="Counting begins when the server starts, or later with the version">
      since <Ago time={time} />
    </span>
  )
}
