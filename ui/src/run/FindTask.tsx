import { type KeyboardEvent, useId, useMemo, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import type { Task } from '../api/types'
import { ancestors, type Tree } from '../graph/tree'
import { useAddress } from '../parts/address'
import { StateIcon, stateWord } from '../parts/State'
import css from './FindTask.module.css'
import { findTasks } from './findTasks'
import { taskHref } from './taskHref'

const most = 12

/** A field that leads to a task by its name: the graph opens the groups around it and puts it into the middle. */
export function FindTask({ tree }: { tree: Tree }) {
  const [text, setText] = useState('')
  const [active, setActive] = useState(0)
  const [open, setOpen] = useState(false)
  const [address] = useAddress()
  const [, navigate] = useLocation()
  const field = useRef<HTMLInputElement>(null)
  const id = useId()
  const found = useMemo(() => (open ? findTasks(tree, text, most) : { tasks: [], total: 0 }), [tree, text, open])
  const shown = open && text.trim() !== ''
  const go = (task: Task | undefined) => {
    if (!task) return
    const search = new URLSearchParams(address)
    // What the reader has closed around the task must not hide it.
    const around = new Set(ancestors(tree, task.path).map((t) => t.path))
    const closed = search.getAll('close').filter((path) => !around.has(path))
    search.delete('close')
    for (const path of closed) search.append('close', path)
    // The keys are the page's again: Escape closes the task.
    field.current?.blur()
    navigate(taskHref(task, search))
  }
  const onKey = (e: KeyboardEvent) => {
    const last = found.tasks.length - 1
    if (e.key === 'ArrowDown') setActive(active >= last ? 0 : active + 1)
    else if (e.key === 'ArrowUp') setActive(active <= 0 ? last : active - 1)
    else if (e.key === 'Enter') go(found.tasks[active])
    else if (e.key === 'Escape' && shown) setOpen(false)
    else return
    e.preventDefault()
    e.stopPropagation()
  }
  return (
    <div className={css.find}>
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-label="Find a task"
        placeholder="Find a task"
        autoComplete="off"
        spellCheck={false}
        aria-expanded={shown}
        aria-controls={id}
        aria-autocomplete="list"
        aria-activedescendant={shown && found.tasks[active] ? `${id}-${active}` : undefined}
        value={text}
        onChange={(e) => {
          setText(e.target.value)
          setActive(0)
          setOpen(true)
        }}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKey}
      />
      <div id={id} role="listbox" aria-label="Tasks found" className={css.list} hidden={!shown}>
        {found.tasks.map((task, i) => (
          // The keys are those of the field.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={task.id}
            id={`${id}-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === active}
            className={css.option}
            onPointerDown={(e) => e.preventDefault()}
            onPointerMove={() => setActive(i)}
            onClick={() => go(task)}
          >
            <StateIcon state={task.state} />
            <span className={css.name}>{task.kind === 'iteration' ? `iteration ${task.iteration ?? task.name}` : task.display_name}</span>
            <span className={css.around}>{ancestors(tree, task.path).map((t) => t.display_name).join(' / ')}</span>
            <span className="visually-hidden">{stateWord(task.state)}</span>
          </div>
        ))}
        {shown && <p className={css.note}>{found.total === 0 ? 'No task is called so.' : found.total > most ? `${found.total.toLocaleString('en-GB')} tasks; write more of the name` : ''}</p>}
      </div>
    </div>
  )
}
