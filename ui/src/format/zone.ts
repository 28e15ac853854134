// Times as clocks in a time zone show them.

/** The time zone of this machine. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
}

/** The names of the time zones that the browser knows, UTC first. */
export function zones(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')]
}

/** Whether there is a time zone of this name. */
export function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: zone }).format(0) !== ''
  } catch {
    return false
  }
}

/** The exact time as clocks in a zone show it. */
export function exactIn(time: string, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'long', timeZone: zone }).format(Date.parse(time))
}

/** "1 Jul 2026, 06:00" as clocks in a zone show it. */
export function minuteIn(time: string, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: zone }).format(Date.parse(time))
}

/** How far clocks in a zone are ahead of UTC at a moment, in milliseconds. */
function offset(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric',
  }).formatToParts(at)
  const part = (type: string) => Number(parts.find((p) => p.type === type)?.value)
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second')) - Math.floor(at / 1000) * 1000
}

/** The moment at which clocks in a zone first show "2026-03-29T06:00", as RFC 3339; what they leave out is where they are set forward. */
export function momentIn(text: string, zone: string): string | undefined {
  const shown = Date.parse(`${text}Z`)
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) || Number.isNaN(shown)) return undefined
  // Clocks are set at most once within two days.
  const offsets = [offset(shown - 86_400_000, zone), offset(shown + 86_400_000, zone)]
  const fits = offsets.map((o) => shown - o).filter((at) => offset(at, zone) === shown - at)
  const at = fits.length > 0 ? Math.min(...fits) : change(shown - Math.max(...offsets), shown - Math.min(...offsets), zone)
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

/** The first second from which on clocks show what they show at the end. */
function change(from: number, to: number, zone: string): number {
  let [low, high] = [from, to]
  while (high - low > 1000) {
    const middle = low + Math.floor((high - low) / 2000) * 1000
    if (offset(middle, zone) === offset(to, zone)) high = middle
    else low = middle
  }
  return high
}
