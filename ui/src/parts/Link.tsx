import type { ComponentProps } from 'react'
import { navigate } from 'wouter/use-browser-location'

/**
 * A link to another page of the application. It is an element and nothing more: a graph has hundreds of them and a list dozens, and
 * links that each watch the address are felt there. followLinks does what a click means.
 */
export function Link({ children, ...rest }: ComponentProps<'a'> & { href: string }) {
  return (
    <a {...rest} data-page="">
      {children}
    </a>
  )
}

/** Opens the pages that links lead to without loading the application again. Who wants another tab or window gets it from the browser. */
export function followLinks(): void {
  document.addEventListener('click', (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return
    const href = (e.target as Element).closest('a[data-page]')?.getAttribute('href')
    if (href == null) return
    e.preventDefault()
    navigate(href)
  })
}
