import { useState } from 'react'
import { problemsOf, useApply, useDeclared, usePlan } from '../api/declare'
import type { DeclaredChange } from '../api/types'
import { YamlEditor } from '../code/YamlEditor'
import { useAddress } from '../parts/address'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Icon } from '../parts/icons'
import { Link } from '../parts/Link'
import { Loading, Nothing, Notice } from '../parts/Notice'
import { Failed, Page, pageCss } from '../parts/Page'
import { useSettled } from '../parts/settled'
import css from './Declare.module.css'
import { templates } from './templates'

const nothing = '# kind, name and more, as in the files of levada apply\n'

/** Declares things as files do: the text, what it would change, and the change. */
export default function DeclarePage() {
  const [search] = useAddress()
  const [kind, name] = [search.get('kind') ?? '', search.get('name') ?? '']
  const { data, error } = useDeclared(kind, name)
  const begun = templates[search.get('new') ?? '']
  if (error && !data) return <Failed error={error} what={words(kind)} />
  if (name !== '' && !data) return <Loading what={`the ${words(kind)}`} />
  return <Editor key={`${kind} ${name}`} title={name === '' ? (begun?.title ?? 'Declare') : `Change ${name}`} first={data?.text ?? begun?.text ?? nothing} set={data?.set} />
}

function Editor({ title, first, set }: { title: string; first: string; set: string | undefined }) {
  const [text, setText] = useState(first)
  const settled = useSettled(text)
  const plan = usePlan(settled)
  const apply = useApply()
  const problems = problemsOf(plan.error)
  // What was planned is this text, and not the one before it.
  const current = settled === text && !plan.isPlaceholderData && !plan.error ? plan.data : undefined
  return (
    <Page
      title={title}
      head={
        <>
          <span className={pageCss.space} />
          <Button look="primary" busy={apply.isPending} disabled={!current?.changed} onClick={() => apply.mutate(text)}>
            Apply
          </Button>
        </>
      }
    >
      {set && (
        <Notice tone="warning" title={set.startsWith('monitor-') ? `It is part of the monitor ${set.slice('monitor-'.length)}` : `It is declared in files, by the set ${set}`}>
          What you change here holds until {set.startsWith('monitor-') ? 'the monitor is declared' : 'they are applied'} again: change it there too.
        </Notice>
      )}
      {(apply.error ?? (problems.length === 0 && plan.error)) && (
        <Notice tone="danger" title={apply.error ? 'It was not applied' : 'It could not be planned'}>
          {(apply.error ?? plan.error)?.message}
        </Notice>
      )}
      {apply.data && (
        <p role="status" className={css.done}>
          Applied: {apply.data.changes.filter((c) => c.action !== 'none').length} changed.{' '}
          {apply.data.changes.map((c) => (
            <Where key={`${c.kind} ${c.name}`} change={c} />
          ))}
        </p>
      )}
      <Card title="As a file declares it">
        <YamlEditor
          label="What is declared, as YAML"
          value={text}
          problems={problems}
          onChange={(next) => {
            setText(next)
            apply.reset()
          }}
        />
      </Card>
      <Card title="What changes">
        {problems.length > 0 ? (
          <Nothing>What is wrong with the text is said below it.</Nothing>
        ) : current?.changed ? (
          <Changes list={current.changes} />
        ) : (
          <Nothing>{current ? 'Nothing: all of it is as declared.' : 'Nothing yet.'}</Nothing>
        )}
      </Card>
      <p className={pageCss.soft}>
        Several documents are separated by a line <code>---</code>. Nothing is deleted by this page, but for parts of a monitor that it does not ask for any more. Saved as a file, the text is for{' '}
        <code>levada apply -f</code>.
      </p>
    </Page>
  )
}

const signs = { create: '+', update: '~', delete: '−', none: '' } as const
const verbs = { create: 'new', update: 'changed', delete: 'deleted', none: 'as declared' } as const

function Changes({ list }: { list: readonly DeclaredChange[] }) {
  return (
    <ul className={css.changes}>
      {list
        .filter((c) => c.action !== 'none' || (c.warnings?.length ?? 0) > 0)
        .map((c) => (
          <li key={`${c.kind} ${c.name}`} data-change={`${c.action} ${c.kind} ${c.name}`}>
            <span aria-hidden="true">{signs[c.action]} </span>
            <strong>{c.name}</strong>: {verbs[c.action]} {words(c.kind)}
            {c.note && `, ${c.note}`}
            {(c.warnings?.length ?? 0) > 0 && (
              <ul>
                {c.warnings?.map((w) => (
                  <li key={w}>
                    <Icon name="warning" size={13} /> {w}
                  </li>
                ))}
              </ul>
            )}
            {(c.fields?.length ?? 0) > 0 && (
              <ul>
                {c.fields?.map((f) => (
                  <li key={f.field}>
                    {f.field}: <code>{shown(f.before)}</code> becomes <code>{shown(f.after)}</code>
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
    </ul>
  )
}

const rooms: Record<string, (name: string) => string> = {
  trigger: (name) => `/triggers?q=${encodeURIComponent(name)}`,
  recurring_run: () => '/recurring-runs',
  pipeline: (name) => `/pipelines?q=${encodeURIComponent(name)}`,
  endpoint: (name) => `/endpoints/${encodeURIComponent(name)}`,
  graph: (name) => `/graphs/${encodeURIComponent(name)}`,
}

/** Leads to what was changed. */
function Where({ change: c }: { change: DeclaredChange }) {
  const room = rooms[c.kind]
  if (!room || c.action === 'none' || c.action === 'delete') return null
  return (
    <>
      <Link href={room(c.name)}>{`${words(c.kind)} ${c.name}`}</Link>{' '}
    </>
  )
}

const words = (kind: string) => kind.replace('_', ' ')
const shown = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
