import { Link } from 'wouter'

/** What an address shows that leads nowhere. */
export function NotFound({ what }: { what: string }) {
  return (
    <section>
      <h1>Not found</h1>
      <p>{what}</p>
      <p>
        <Link href="/runs">All runs</Link>
      </p>
    </section>
  )
}
