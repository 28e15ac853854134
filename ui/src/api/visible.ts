// Streams are for what somebody looks at: a browser opens six connections to a server, for all its tabs together.

/** How long a page is out of sight before its streams are given up, in milliseconds: to look at another tab is no reason. */
const patience = 3000

/** Waits until the page can be seen. It also returns when the signal is aborted. */
export function visible(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return
      document.removeEventListener('visibilitychange', look)
      signal.removeEventListener('abort', look)
      resolve()
    }
    document.addEventListener('visibilitychange', look)
    signal.addEventListener('abort', look)
    look()
  })
}

/** A signal that is aborted with another one, and when the page has been out of sight for a while. Call done when it is no longer needed. */
export function whileVisible(outer: AbortSignal): { signal: AbortSignal; done: () => void } {
  const inner = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = () => {
    clearTimeout(timer)
    if (document.hidden) timer = setTimeout(() => inner.abort(), patience)
  }
  const end = () => inner.abort()
  document.addEventListener('visibilitychange', look)
  outer.addEventListener('abort', end)
  if (outer.aborted) end()
  return {
    signal: inner.signal,
    done: () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
      outer.removeEventListener('abort', end)
    },
  }
}
