import { count } from '../format/value'
import { Button } from './Button'
import css from './More.module.css'

interface Pages {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => Promise<unknown>
}

/** Stands below a list: how much of it is shown, and a button for more. */
export function More({ shown, total, noun, pages }: { shown: number; total: number; noun: string; pages: Pages }) {
  return (
    <p className={css.foot}>
      {shown} of {count(total, noun)}
      {pages.hasNextPage && (
        <Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          {pages.isFetchingNextPage ? 'Loading…' : 'Load more'}
        </Button>
      )}
    </p>
  )
}
