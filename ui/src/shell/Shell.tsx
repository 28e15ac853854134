import type { ReactNode } from 'react'
import { Link, useLocation } from 'wouter'
import { useInfo } from '../api/queries'
import { Button } from '../parts/Button'
import type { IconName } from '../parts/icons'
import { setTheme, type Theme, useTheme } from './theme'
import css from './Shell.module.css'

/** The bar at the top, and the page below it. */
export function Shell({ children }: { children: ReactNode }) {
  const info = useInfo()
  return (
    <>
      <a className={css.skip} href="#main">
        Skip to the content
      </a>
      <header className={css.bar}>
        <Link href="/" className={css.brand}>
          <img src="/favicon.svg" alt="" width={22} height={22} />
          Levada
        </Link>
        <nav aria-label="Main" className={css.pages}>
          <Page href="/runs" name="Runs" />
          <Page href="/recurring-runs" name="Recurring runs" />
          <Page href="/experiments" name="Experiments" also={['/tracked-runs', '/compare']} />
          <Page href="/models" name="Models" />
        </nav>
        <span className={css.space} />
        {info.data?.version && (
          <span className={css.version} title={`Data in ${info.data.data_dir}`}>
            {info.data.version}
          </span>
        )}
        <ThemeButton />
      </header>
      <main id="main" className={css.main} tabIndex={-1}>
        {children}
      </main>
    </>
  )
}

/** A link of the navigation; it is marked on its own page and those below it or the others. */
function Page({ href, name, also = [] }: { href: string; name: string; also?: string[] }) {
  const [location] = useLocation()
  const here = [href, ...also].some((a) => location === a || location.startsWith(`${a}/`)) || (location === '/' && href === '/runs')
  return (
    <Link href={href} className={css.nav} aria-current={here ? 'page' : undefined}>
      {name}
    </Link>
  )
}

const next: Record<Theme, { theme: Theme; icon: IconName; label: string }> = {
  system: { theme: 'light', icon: 'auto', label: 'Theme: as the system. Switch to light' },
  light: { theme: 'dark', icon: 'sun', label: 'Theme: light. Switch to dark' },
  dark: { theme: 'system', icon: 'moon', label: 'Theme: dark. Switch to the system’s' },
}

function ThemeButton() {
  const { theme, icon, label } = next[useTheme()]
  return <Button look="quiet" icon={icon} aria-label={label} onClick={() => setTheme(theme)} />
}
