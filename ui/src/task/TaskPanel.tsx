import { useEffect, useRef } from 'react'
import { useLocation, useSearchParams } from 'wouter'
import { isLeaf, type Run, type Task } from '../api/types'
import { ancestors, type Tree } from '../graph/tree'
import { LogView } from '../logs/LogView'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { State } from '../parts/State'
import { type Tab, Tabs } from '../parts/Tabs'
import { taskHref } from '../run/taskHref'
import { Children } from './Children'
import { EnvironmentView } from './EnvironmentView'
import { Summary } from './Summary'
import css from './TaskPanel.module.css'
import { UsageView } from './UsageView'

/** Everything about one task, beside the graph or, on a narrow screen, instead of it. */
export function TaskPanel({ run, task, tree, back }: { run: Run; task: Task; tree: Tree; back: string }) {
  const [search, setSearch] = useSearchParams()
  const leaf = isLeaf(task.kind)
  const measured = task.kind === 'container'
  const fallback = task.kind === 'loop' ? 'tasks' : 'summary'
  const tab = search.get('tab') ?? fallback
  const choose = (id: string) =>
    setSearch(
      (old) => {
        const next = new URLSearchParams(old)
        next.set('tab', id)
        return next
      },
      { replace: true },
    )
  const tabs: Tab[] = [
    { id: 'summary', label: 'Summary', content: <Summary run={run} task={task} tree={tree} /> },
    leaf
      ? { id: 'logs', label: 'Log', content: <LogView task={task} /> }
      : { id: 'tasks', label: task.kind === 'loop' ? 'Iterations' : 'Tasks', content: <Children task={task} tree={tree} /> },
    ...(measured
      ? [
          { id: 'usage', label: 'Resources', content: <UsageView task={task} /> },
          { id: 'environment', label: 'Environment', content: <EnvironmentView task={task} /> },
        ]
      : []),
  ]
  return (
    <section className={css.panel} aria-label={`Task ${task.display_name}`}>
      <Head run={run} task={task} tree={tree} back={back} />
      <Tabs
        label="About the task"
        value={tabs.some((t) => t.id === tab) ? tab : fallback}
        onChange={choose}
        tabs={tabs}
      />
    </section>
  )
}

function Head({ run, task, tree, back }: { run: Run; task: Task; tree: Tree; back: string }) {
  const [search] = useSearchParams()
  const [, navigate] = useLocation()
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // On a narrow screen the panel takes the place of what was clicked, so the focus has to follow.
    if (heading.current && window.matchMedia('(max-width: 1100px)').matches) {
      window.scrollTo(0, 0)
      heading.current.focus()
    }
  }, [])
  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.closest('input, select, textarea, dialog')
      if (event.key === 'Escape' && !typing) navigate(back)
    }
    window.addEventListener('keydown', close)
    return () => window.removeEventListener('keydown', close)
  }, [back, navigate])
  return (
    <header className={css.head}>
      <div className={css.crumbs}>
        <Link href={back} className={css.back}>
          <Icon name="back" size={14} />
          {run.display_name}
        </Link>
        {ancestors(tree, task.path).map((group) => (
          <span key={group.path} className={css.crumb}>
            /{' '}
            <Link href={taskHref(group, search)}>
              {group.kind === 'iteration' ? `iteration ${group.iteration ?? group.name}` : group.display_name}
            </Link>
          </span>
        ))}
      </div>
      <div className={css.title}>
        <h2 ref={heading} tabIndex={-1}>
          {task.kind === 'iteration' ? `iteration ${task.iteration ?? task.name}` : task.display_name}
        </h2>
        <State state={task.state} large />
        <span className={css.space} />
        <Link href={back} className={css.close} aria-label="Close the task" title="Close (Esc)">
          <Icon name="close" />
        </Link>
      </div>
    </header>
  )
}
