// Times and durations as people read them.

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** "0.4 s", "12 s", "3 min 5 s", "2 h 10 min", "4 d 3 h". */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return '–'
  if (ms < 1) return '0 s'
  if (ms < second) return `${Math.round(ms)} ms`
  if (ms < 10 * second) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`
  if (ms < minute) return `${Math.floor(ms / second)} s`
  if (ms < hour) return two(ms, minute, 'min', second, 's')
  if (ms < day) return two(ms, hour, 'h', minute, 'min')
  return two(ms, day, 'd', hour, 'h')
}

function two(ms: number, big: number, bigName: string, small: number, smallName: string): string {
  const rest = Math.floor((ms % big) / small)
  return `${Math.floor(ms / big)} ${bigName}${rest > 0 ? ` ${rest} ${smallName}` : ''}`
}

/** Milliseconds between two times; an open end means now. Undefined when it has not begun. */
export function between(start: string | undefined, end: string | undefined, now: number): number | undefined {
  if (!start) return undefined
  return Math.max(0, (end ? Date.parse(end) : now) - Date.parse(start))
}

/** "now", "in 40 s", "in 5 min", "in 3 h", "in 4 d", "on 12 Mar", "on 12 Mar 2027". */
export function ahead(time: string, now: number): string {
  const then = Date.parse(time)
  const left = then - now
  if (left < second) return 'now'
  if (left < minute) return `in ${Math.floor(left / second)} s`
  if (left < hour) return `in ${Math.floor(left / minute)} min`
  if (left < day) return `in ${Math.floor(left / hour)} h`
  if (left < 7 * day) return `in ${Math.floor(left / day)} d`
  return `on ${date(then, now)}`
}

/** "just now", "5 min ago", "3 h ago", "yesterday", "12 Mar", "12 Mar 2025". */
export function ago(time: string, now: number): string {
  const then = Date.parse(time)
  const age = now - then
  if (age < 10 * second) return 'just now'
  if (age < minute) return `${Math.floor(age / second)} s ago`
  if (age < hour) return `${Math.floor(age / minute)} min ago`
  if (age < day) return `${Math.floor(age / hour)} h ago`
  if (age < 2 * day) return 'yesterday'
  if (age < 7 * day) return `${Math.floor(age / day)} d ago`
  return date(then, now)
}

function date(then: number, now: number): string {
  const sameYear = new Date(then).getFullYear() === new Date(now).getFullYear()
  return (sameYear ? thisYear() : anyYear()).format(then)
}

/** A format that is made when it is first used, and kept: making one takes a hundred times as long as using it. */
function format(options: Intl.DateTimeFormatOptions): () => Intl.DateTimeFormat {
  let made: Intl.DateTimeFormat | undefined
  return () => (made ??= new Intl.DateTimeFormat('en-GB', options))
}

const thisYear = format({ day: 'numeric', month: 'short' })
const anyYear = format({ day: 'numeric', month: 'short', year: 'numeric' })
const toTheSecond = format({ dateStyle: 'medium', timeStyle: 'long' })

/** The exact local time, for a tooltip. */
export function exact(time: string): string {
  return toTheSecond().format(Date.parse(time))
}

/** "14:03:22.418", for a line of a log. */
export function clock(time: string): string {
  const t = new Date(time)
  const pad = (n: number, width = 2) => String(n).padStart(width, '0')
  return `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}.${pad(t.getMilliseconds(), 3)}`
}
