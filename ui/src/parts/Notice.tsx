import type { ReactNode } from 'react'
import { Icon, type IconName } from './icons'
import css from './Notice.module.css'

type Tone = 'danger' | 'warning' | 'neutral'

const icons: Record<Tone, IconName> = { danger: 'failed', warning: 'warning', neutral: 'pending' }

/** A box that says something about what stands below it. */
export function Notice({ tone, title, children }: { tone: Tone; title?: ReactNode; children?: ReactNode }) {
  return (
    <div className={`${css.notice} ${css[tone]}`} role={tone === 'danger' ? 'alert' : 'note'}>
      <span className={css.icon}>
        <Icon name={icons[tone]} />
      </span>
      <div className={css.text}>
        {title && <strong>{title}</strong>}
        {children && <div>{children}</div>}
      </div>
    </div>
  )
}

/** Says that what stands below is from before, because asking again failed. */
export function Stale({ what, error }: { what: string; error: Error | null }) {
  if (!error) return null
  return (
    <Notice tone="danger" title={`The ${what} could not be brought up to date`}>
      {error.message}
    </Notice>
  )
}

/** What a place shows while its content is on the way. */
export function Loading({ what }: { what: string }) {
  return (
    <p className={css.loading} role="status">
      Loading {what}…
    </p>
  )
}

/** What stands in the place of a list that is empty, or below one that is cut. */
export function Nothing({ children }: { children: ReactNode }) {
  return <p className={css.nothing}>{children}</p>
}
