import { useEndpointEvents } from '../api/endpoints'
import type { EndpointEvent } from '../api/types'
import { exact } from '../format/time'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { Loading, Stale } from '../parts/Notice'
import css from './Endpoints.module.css'

/** The id of the rollout that an event is of. */
function rolloutOf(e: EndpointEvent): string | undefined {
  const id = e.data?.['rollout']
  return typeof id === 'string' ? id : undefined
}

/** What happened to an endpoint or an inference graph, the newest first. */
export function Events({ name }: { name: string }) {
  const events = useEndpointEvents(name)
  const items = events.data?.pages.flatMap((page) => page.events) ?? []
  return (
    <Card title="Events">
      <Stale what="list" error={events.error} />
      {events.isPending && <Loading what="events" />}
      {items.length > 0 && (
        <ol className={css.told} aria-label="Events, newest first">
          {items.map((ev) => {
            const rollout = rolloutOf(ev)
            return (
              <li key={ev.id} data-event={ev.kind}>
                <span>
                  <span className={css.when}>
                    <time dateTime={ev.at}>{exact(ev.at)}</time> · {ev.kind.replaceAll('_', ' ')}
                  </span>
                  <br />
                  {ev.message} {rollout && <Link href={`/endpoints/${encodeURIComponent(name)}/rollouts/${rollout}`}>Evidence</Link>}
                </span>
              </li>
            )
          })}
        </ol>
      )}
      {events.hasNextPage && (
        <p className={css.body}>
          <Button busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>
            Load more
          </Button>
        </p>
      )}
    </Card>
  )
}
