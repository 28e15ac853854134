import type { ReactNode } from 'react'
import css from './Card.module.css'

/** A titled piece of a page. */
export function Card({ title, extra, children }: { title: ReactNode; extra?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.card}>
      <div className={css.head}>
        <h3>{title}</h3>
        {extra}
      </div>
      {children}
    </section>
  )
}
