import { useEffect, useRef } from 'react'

/** Stands at the end of a list and calls when it comes near the window. A key that changes with the list makes it look again. */
export function InSight({ onSight }: { onSight: () => void }) {
  const element = useRef<HTMLDivElement>(null)
  const latest = useRef(onSight)
  useEffect(() => {
    latest.current = onSight
  })
  useEffect(() => {
    if (!element.current) return
    const observer = new IntersectionObserver((entries) => entries.some((e) => e.isIntersecting) && latest.current(), { rootMargin: '400px' })
    observer.observe(element.current)
    return () => observer.disconnect()
  }, [])
  return <div ref={element} />
}
