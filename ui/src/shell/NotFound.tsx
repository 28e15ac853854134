import { Link } from '../parts/Link'
import css from './Shell.module.css'

/** What an address shows that leads nowhere. */
export function NotFound({ what }: { what: string }) {
  return (
    <section className={css.missing}>
      <h1>Not found</h1>
      <p>{what}</p>
      <p>
        <Link href="/">Home</Link>
      </p>
    </section>
  )
}
