import { Fragment, type KeyboardEvent, useEffect, useId, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { useSearch } from '../api/search'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Icon } from '../parts/icons'
import { State } from '../parts/State'
import { setTheme, type Theme } from '../shell/theme'
import { type Entry, kindWords, readWanted, type Section, sections } from './entries'
import { setSlashOpens, slashOpens } from './keys'
import css from './Palette.module.css'

/** Opens anything by name or id, and does what the shell can do: a combobox with a list below it, in a dialog. */
export default function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  // It is gone at once: the event of its closing comes later, and would close one that was opened again meanwhile.
  const close = () => {
    dialog.current?.close()
    onClose()
  }
  return (
    // A click on the dialog itself is one beside what it holds.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions, jsx-a11y/click-events-have-key-events
    <dialog ref={dialog} className={css.dialog} aria-label="Search and commands" onClose={onClose} onClick={(e) => e.target === e.currentTarget && close()}>
      <Box close={close} />
    </dialog>
  )
}

function Box({ close }: { close: () => void }) {
  const [input, setInput] = useState('')
  const [active, setActive] = useState<string>()
  const [, navigate] = useLocation()
  const wanted = useMemo(() => readWanted(input), [input])
  const asked = wanted.kind === 'page' ? '' : wanted.text
  const { found, error, busy } = useSearch(asked, wanted.kind === 'page' ? undefined : wanted.kind)
  const actions = useActions()
  const shown = useMemo(() => sections(wanted, actions, found), [wanted, actions, found])
  const all = shown.flatMap((s) => s.entries)
  const at = Math.max(
    0,
    all.findIndex((e) => e.id === active),
  )
  const current = all[at]
  const id = useId()

  const choose = (entry: Entry, apart: boolean) => {
    if (entry.href && apart) {
      window.open(entry.href, '_blank', 'noopener')
      return
    }
    close()
    entry.run?.()
    if (entry.href) navigate(entry.href)
  }
  const onKey = (e: KeyboardEvent) => {
    if (e.nativeEvent.isComposing) return
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[e.key]
    if (step !== undefined) {
      e.preventDefault()
      setActive(all[move(at, step, all.length)]?.id)
    } else if (e.key === 'Enter' && current) {
      e.preventDefault()
      choose(current, e.ctrlKey || e.metaKey)
    }
  }
  return (
    <div className={css.box}>
      <div className={css.field}>
        <Icon name="search" />
        <input
          className={css.input}
          role="combobox"
          aria-label="Search"
          aria-expanded={all.length > 0}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={current ? `${id}-${at}` : undefined}
          placeholder="Name, id or command"
          autoComplete="off"
          spellCheck={false}
          maxLength={200}
          value={input}
          onChange={(e) => {
            setInput(e.target.value)
            setActive(undefined)
          }}
          onKeyDown={onKey}
        />
        <Button look="quiet" icon="close" aria-label="Close" aria-keyshortcuts="Escape" onClick={close} />
      </div>
      {error && (
        <p role="alert" className={css.error}>
          {error.message}
        </p>
      )}
      <List id={id} shown={shown} current={current} onPoint={setActive} onChoose={choose} />
      <p role="status" className={all.length === 0 ? css.nothing : 'visually-hidden'}>
        {summary(all.length, busy, asked)}
      </p>
      <p className={css.hint}>
        <kbd>↑</kbd> <kbd>↓</kbd> choose, <kbd>Enter</kbd> open, <kbd>Ctrl</kbd> <kbd>Enter</kbd> in a new tab. Narrow with {kindWords.map((w) => `${w}:`).join(' ')}
      </p>
    </div>
  )
}

/** Moves by one with wrapping, by more up to the ends. */
function move(at: number, step: number, length: number): number {
  if (length === 0) return 0
  if (Math.abs(step) === 1) return (at + step + length) % length
  return Math.min(length - 1, Math.max(0, at + step))
}

function summary(n: number, busy: boolean, asked: string): string {
  if (busy) return 'Searching…'
  if (n > 0) return count(n, 'result')
  return asked === '' ? 'Nothing to choose.' : 'Nothing is called so. Of runs and artifacts a part of the name is looked for among the newest only; ids are found among all.'
}

interface ListProps {
  id: string
  shown: readonly Section[]
  current: Entry | undefined
  onPoint: (id: string) => void
  onChoose: (entry: Entry, apart: boolean) => void
}

function List({ id, shown, current, onPoint, onChoose }: ListProps) {
  const list = useRef<HTMLDivElement>(null)
  const currentId = current?.id
  useEffect(() => {
    if (currentId) list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
  }, [currentId])
  let n = -1
  return (
    <div ref={list} id={`${id}-list`} role="listbox" aria-label="Results" className={css.list}>
      {shown.map((section) => (
        <div key={section.name} role="group" aria-label={section.name}>
          <div aria-hidden="true" className={css.section}>
            {section.name}
          </div>
          {section.entries.map((entry) => {
            n++
            return (
              // The keyboard is the business of the field, which keeps the focus.
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
              <div
                key={entry.id}
                id={`${id}-${n}`}
                role="option"
                tabIndex={-1}
                aria-selected={entry === current}
                className={css.option}
                onMouseDown={(e) => e.preventDefault()}
                onMouseMove={() => onPoint(entry.id)}
                onClick={(e) => onChoose(entry, e.ctrlKey || e.metaKey)}
              >
                <Line entry={entry} />
              </div>
            )
          })}
        </div>
      ))}
    </div>
  )
}

function Line({ entry }: { entry: Entry }) {
  return (
    <Fragment>
      <Icon name={entry.icon} />
      <bdi className={css.name}>{entry.name}</bdi>
      {entry.detail && <bdi className={css.detail}>{entry.detail}</bdi>}
      {entry.state && <State state={entry.state} />}
    </Fragment>
  )
}

function useActions(): Entry[] {
  const [slash, setSlash] = useState(slashOpens)
  return useMemo(() => {
    const theme = (to: Theme, name: string, icon: Entry['icon']): Entry => ({ id: `theme ${to}`, name: `Theme: ${name}`, icon, run: () => setTheme(to) })
    return [
      theme('light', 'light', 'sun'),
      theme('dark', 'dark', 'moon'),
      theme('system', 'as the system', 'auto'),
      {
        id: 'slash',
        name: slash ? 'Keys: do not open this with /' : 'Keys: open this with /',
        icon: 'search',
        run: () => {
          setSlashOpens(!slash)
          setSlash(!slash)
        },
      },
    ]
  }, [slash])
}
