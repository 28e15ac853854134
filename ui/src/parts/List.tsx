import type { ReactNode } from 'react'
import { pageCss } from './Page'
// After that of pages, which it changes.
import css from './List.module.css'

/** A column by its name: one that phones leave out, or one whose name is not shown. */
type Column = string | { name: string; optional?: true; unseen?: true }

interface Props {
  caption: string
  columns: readonly Column[]
  className?: string | undefined
  /** Where it is too narrow for columns each row is a block; the cells say their column in data-column. */
  stacked?: boolean
  /** For a list of which not all rows are there. */
  'aria-rowcount'?: number
  /** The body. */
  children: ReactNode
}

/** A table that looks as all lists do. */
export function List({ caption, columns, className = '', stacked = false, children, ...rest }: Props) {
  return (
    <table className={`${pageCss.list} ${stacked ? css.stacked : ''} ${className}`} {...rest}>
      <caption className="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map((column) => {
            const { name, optional, unseen }: Exclude<Column, string> = typeof column === 'string' ? { name: column } : column
            return (
              <th key={name} scope="col" className={optional && pageCss.optional}>
                {unseen ? <span className="visually-hidden">{name}</span> : name}
              </th>
            )
          })}
        </tr>
      </thead>
      {children}
    </table>
  )
}
