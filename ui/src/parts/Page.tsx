import { Fragment, type ReactNode, useCallback, useEffect, useState } from 'react'
import { ApiError } from '../api/client'
import { NotFound } from '../shell/NotFound'
import { useAddress } from './address'
import { Notice } from './Notice'
import css from './Page.module.css'

interface Props {
  title: string
  /** Links that lead here, from the outermost. */
  crumbs?: ReactNode[]
  head?: ReactNode
  wide?: boolean
  children: ReactNode
}

/** The frame of a page: where it is, its title, and what stands beside that. */
export function Page({ title, crumbs = [], head, wide = false, children }: Props) {
  useEffect(() => {
    document.title = `${title} – Levada`
  }, [title])
  return (
    <section className={`${css.page} ${wide ? css.wide : ''}`}>
      {crumbs.length > 0 && (
        <nav aria-label="Breadcrumb" className={css.crumbs}>
          {crumbs.map((crumb, i) => (
            // oxlint-disable-next-line react/no-array-index-key
            <Fragment key={i}>
              {i > 0 && <span aria-hidden="true">/</span>}
              {crumb}
            </Fragment>
          ))}
        </nav>
      )}
      <div className={css.head}>
        <h1>{title}</h1>
        {head}
      </div>
      {children}
    </section>
  )
}

/** What a page shows when its request failed: that there is no such thing, or why it cannot be shown. */
export function Failed({ error, what }: { error: Error; what: string }) {
  if (error instanceof ApiError && error.status === 404) return <NotFound what={`There is no ${what} of this name or id. It may have been deleted.`} />
  return (
    <Notice tone="danger" title={`The ${what} could not be read`}>
      {error.message}
    </Notice>
  )
}

export function Facts({ children }: { children: ReactNode }) {
  return <dl className={css.facts}>{children}</dl>
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={css.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** A box in the place of what is not there yet. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={css.empty}>
      <h2>{title}</h2>
      {children}
    </div>
  )
}

/** A field that searches while one writes, a moment after the last key. */
function Search({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value)
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => onChange(text), 250)
    return () => clearTimeout(timer)
  }, [text, value, onChange])
  return <input type="search" className={css.search} aria-label={label} placeholder={`${label}…`} value={text} onChange={(e) => setText(e.target.value)} />
}

/** A page with a list that is searched by a part of the name; the address holds what is searched for. */
export function SearchPage({ title, actions, children }: { title: string; actions?: ReactNode; children: (q: string) => ReactNode }) {
  const [search, change] = useAddress()
  const q = search.get('q') ?? ''
  const setQ = useCallback((text: string) => change({ q: text }), [change])
  return (
    <Page
      title={title}
      head={
        <>
          <span className={css.space} />
          <Search label="Name contains" value={q} onChange={setQ} />
          {actions}
        </>
      }
    >
      {children(q)}
    </Page>
  )
}

export { css as pageCss }
