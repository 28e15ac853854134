import { createContext, useContext, useEffect, useState, type ReactNode } from 'react'
import { ago, ahead, exact } from '../format/time'

const Now = createContext(0)

/** Gives the time to everything inside, each second while something is going on, else each half minute. */
export function Clock({ ticking, children }: { ticking: boolean; children: ReactNode }) {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), ticking ? 1000 : 30_000)
    return () => clearInterval(timer)
  }, [ticking])
  return <Now.Provider value={now}>{children}</Now.Provider>
}

export function useNow(): number {
  return useContext(Now)
}

/** A time as its distance from now, with the exact time on hover. */
export function Ago({ time }: { time: string }) {
  const now = useNow()
  return (
    <time dateTime={time} title={exact(time)}>
      {ago(time, now)}
    </time>
  )
}

/** A time to come as its distance from now, with the exact time on hover. */
export function Ahead({ time }: { time: string }) {
  const now = useNow()
  return (
    <time dateTime={time} title={exact(time)}>
      {ahead(time, now)}
    </time>
  )
}
