import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react'
import { useInfo } from '../api/queries'
import { usePaletteKeys } from '../palette/keys'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { late } from '../parts/late'
import { Link } from '../parts/Link'
import { useMedia } from '../parts/media'
import { keep, kept } from './kept'
import { Nav } from './Nav'
import { ThemeButton } from './ThemeButton'
import css from './Shell.module.css'

const Palette = late(undefined, () => import('../palette/Palette'))

/** What stands around every page: a bar at its side, on a phone a bar at the top with a menu. */
export function Shell({ children }: { children: ReactNode }) {
  const narrow = useMedia('(max-width: 860px)')
  const [searching, setSearching] = useState(false)
  const search = useCallback(() => setSearching(true), [])
  usePaletteKeys(search)
  return (
    <div className={css.frame}>
      <a className={css.skip} href="#main">
        Skip to the content
      </a>
      {narrow ? <TopBar onSearch={search} /> : <SideBar onSearch={search} />}
      <main id="main" className={css.main} tabIndex={-1}>
        {children}
      </main>
      {searching && (
        <Palette onClose={() => setSearching(false)} />
      )}
    </div>
  )
}

const railKey = 'levada.rail'

interface BarProps {
  /** Opens the command palette. */
  onSearch: () => void
}

function SideBar({ onSearch }: BarProps) {
  const roomy = useMedia('(min-width: 1200px)')
  // Until the reader chooses, the window's width does.
  const [chosen, setChosen] = useState(() => kept(railKey))
  const rail = chosen ? chosen === 'yes' : !roomy
  const turn = () => {
    const choice = rail ? 'no' : 'yes'
    keep(railKey, choice)
    setChosen(choice)
  }
  return (
    <header className={`${css.side} ${rail ? css.rail : ''}`}>
      <Brand />
      {rail ? (
        <Button look="quiet" icon="search" aria-label="Search" aria-keyshortcuts="Control+K" className={css.find} onClick={onSearch} />
      ) : (
        <button type="button" className={css.search} aria-keyshortcuts="Control+K" onClick={onSearch}>
          <Icon name="search" />
          Search
          <kbd aria-hidden="true">{mac ? '⌘K' : 'Ctrl K'}</kbd>
        </button>
      )}
      <Nav rail={rail} />
      <div className={css.foot}>
        {!rail && <Version />}
        <ThemeButton />
        <Button look="quiet" icon="sidebar" aria-label={rail ? 'Widen the navigation' : 'Narrow the navigation'} onClick={turn} />
      </div>
    </header>
  )
}

const mac = navigator.userAgent.includes('Mac')

function TopBar({ onSearch }: BarProps) {
  const [open, setOpen] = useState(false)
  return (
    <header className={css.bar}>
      <Button look="quiet" icon="menu" aria-label="Menu" aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(true)} />
      <Brand />
      <span className={css.space} />
      <Button look="quiet" icon="search" aria-label="Search" onClick={onSearch} />
      {open && <Menu onClose={() => setOpen(false)} />}
    </header>
  )
}

/** The navigation over the page. The browser's own dialog keeps the focus inside and gives it back. */
function Menu({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const close = () => dialog.current?.close()
  return (
    // A click on the dialog itself is one beside what it holds.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events
    <dialog ref={dialog} className={css.menu} aria-label="Menu" onClose={onClose} onClick={(e) => e.target === e.currentTarget && close()}>
      <div className={css.drawer}>
        <div className={css.drawerHead}>
          <Brand onOpen={close} />
          <span className={css.space} />
          <Button look="quiet" icon="close" aria-label="Close the menu" onClick={close} />
        </div>
        <Nav onOpen={close} />
        <div className={css.foot}>
          <Version />
          <ThemeButton />
        </div>
      </div>
    </dialog>
  )
}

function Brand({ onOpen }: { onOpen?: () => void }) {
  return (
    <Link href="/" className={css.brand} onClick={onOpen}>
      <img src="/favicon.svg" alt="" width={22} height={22} />
      Levada
    </Link>
  )
}

function Version() {
  const info = useInfo()
  return (
    <span className={css.version} title={info.data && `Data in ${info.data.data_dir}`}>
      {info.data?.version}
    </span>
  )
}
