// Parts of the application that are loaded when they are first shown.
import { type ComponentType, useEffect, useState } from 'react'
import { Button } from './Button'
import { Loading, Notice } from './Notice'

/** A component that is there once it has been loaded. */
export type Late<P extends object> = ComponentType<P> & {
  /** Loads it, so that it is there when it is shown; ends when it is there. */
  load: () => Promise<void>
}

/**
 * A component that is loaded when it is first shown. It is shown as soon as it has come: React's own lazy and Suspense keep what they
 * show meanwhile for 300 ms, so that nothing flickers, which is longer than all the rest takes here. Until then the place says that what is
 * loading; without a name it is empty. Where it cannot be loaded the place says so, and everything around it stays.
 */
export function late<P extends object>(what: string | undefined, load: () => Promise<{ default: ComponentType<P> }>): Late<P> {
  let found: ComponentType<P> | undefined
  let coming: Promise<ComponentType<P>> | undefined
  const bring = () => {
    coming ??= load().then(
      (module) => (found = module.default),
      (error: unknown) => {
        coming = undefined
        throw error
      },
    )
    return coming
  }
  function Part(props: P) {
    const [Shown, setShown] = useState(() => found)
    const [failed, setFailed] = useState(false)
    useEffect(() => {
      if (Shown) return undefined
      let wanted = true
      bring().then(
        (component) => wanted && setShown(() => component),
        () => wanted && setFailed(true),
      )
      return () => {
        wanted = false
      }
    }, [Shown])
    if (Shown) return <Shown {...props} />
    if (failed) return <Missing />
    return what === undefined ? null : <Loading what={what} />
  }
  return Object.assign(Part, { load: async () => void (await bring()) })
}

/** Stands in the place of what could not be loaded: the server is gone, or has been updated and has other files. */
function Missing() {
  return (
    <Notice tone="danger" title="This part of the page could not be loaded">
      The server does not answer, or it was updated since the page was opened.
      <p>
        <Button onClick={() => location.reload()}>Load the page again</Button>
      </p>
    </Notice>
  )
}
