import { useEffect, useMemo, useState } from 'react'
import { useLocation } from 'wouter'
import { useGraph, useGraphCheck, useGraphText, usePutGraph } from '../api/endpoints'
import { ApiError } from '../api/client'
import type { GraphCheck } from '../api/types'
import { LineDiff } from '../code/LineDiff'
import { YamlEditor } from '../code/YamlEditor'
import { count } from '../format/value'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Link } from '../parts/Link'
import { LinkButton } from '../parts/LinkButton'
import { Loading, Nothing, Notice } from '../parts/Notice'
import { Failed, Page, pageCss } from '../parts/Page'
import { diffLines } from '../pipelines/lines'
import css from './Endpoints.module.css'
import { graphPath } from './words'

const template = (name: string) => `kind: graph
name: ${name}
graph:
  nodes:
    root:
      router: sequence
      steps:
        - endpoint: 
`

/** An inference graph as its file declares it, to be changed: what is wrong stands at its line, and what would change below it. */
export default function GraphEditor({ name }: { name: string }) {
  const { data, error, refetch, isFetching } = useGraphText(name)
  const missing = error instanceof ApiError && error.status === 404
  if (error && !missing) return <Failed error={error} what="inference graph" />
  if (!data && !missing) return <Loading what="the inference graph" />
  return <Editor key={data?.generation ?? 0} name={name} first={data?.text ?? template(name)} began={data?.generation ?? 0} onAnew={() => void refetch()} busy={isFetching} />
}

interface EditorProps {
  name: string
  first: string
  /** The generation that the text began with; 0 for a graph that is not there. */
  began: number
  onAnew: () => void
  busy: boolean
}

function Editor({ name, first, began, onAnew, busy }: EditorProps) {
  const [text, setText] = useState(first)
  const settled = useSettled(text)
  const now = useGraph(name)
  const check = useGraphCheck(name, now.data?.generation, settled === first && began > 0 ? undefined : settled)
  const put = usePutGraph(name)
  const [, navigate] = useLocation()
  // What was checked is this text, and not the one before it.
  const current = check.data && !check.isPlaceholderData && settled === text ? check.data : undefined
  const problems = text === first && began > 0 ? [] : (check.data?.problems ?? [])
  const changed = current?.spec !== undefined && current.after !== current.before.text
  const meanwhile = now.data !== undefined && now.data.generation !== began
  const apply = () => {
    if (current?.spec && changed) put.mutate({ spec: current.spec, generation: current.before.generation }, { onSuccess: () => navigate(graphPath(name)) })
  }
  return (
    <Page
      title={began > 0 ? `Change ${name}` : `New graph ${name}`}
      crumbs={[<Link key="all" href="/endpoints">Endpoints</Link>, ...(began > 0 ? [<Link key="one" href={graphPath(name)}>{name}</Link>] : [])]}
      head={
        <>
          <span className={pageCss.space} />
          <LinkButton href={began > 0 ? graphPath(name) : '/endpoints'}>Back</LinkButton>
          <Button look="primary" busy={put.isPending} disabled={!changed} onClick={apply}>
            {began > 0 ? 'Apply the change' : 'Make the graph'}
          </Button>
        </>
      }
    >
      {meanwhile && (
        <Notice tone="warning" title={began > 0 ? `The graph was changed meanwhile, to change ${now.data.generation}` : 'There is a graph of this name by now'}>
          What is applied replaces that; the differences below are against it.{' '}
          <Button busy={busy} onClick={onAnew}>
            Begin anew with what it is now
          </Button>
        </Notice>
      )}
      {put.error && (
        <Notice tone="danger" title="It was not applied">
          {put.error.message}
        </Notice>
      )}
      {check.error && (
        <Notice tone="danger" title="It could not be checked">
          {check.error.message}
        </Notice>
      )}
      <Card title="The graph as its file declares it">
        <YamlEditor label="The graph as YAML" value={text} onChange={setText} problems={problems} />
      </Card>
      <Changes check={check.data} changed={check.data?.spec !== undefined && check.data.after !== check.data.before.text} fresh={text === first && began > 0} />
      <p className={css.soft}>
        Requests follow a change when all endpoints that it cannot do without answer; until then what was followed before goes on. Saved as a file, the text is for <code>levada deploy -f</code>.
      </p>
    </Page>
  )
}

/** What would be another one. */
function Changes({ check, changed, fresh }: { check: GraphCheck | undefined; changed: boolean; fresh: boolean }) {
  const lines = useMemo(() => diffLines(linesOf(check?.before.text), linesOf(check?.after)), [check])
  const gone = lines.filter((l) => l.sign === '-').length
  const come = lines.filter((l) => l.sign === '+').length
  return (
    <Card title="What changes" extra={!fresh && changed && <span className={css.soft}>{`${count(come, 'new line')}, ${count(gone, 'line')} gone`}</span>}>
      {fresh || !check ? (
        <Nothing>Nothing yet.</Nothing>
      ) : check.problems.length > 0 ? (
        <Nothing>What is wrong with the text is said below it.</Nothing>
      ) : changed ? (
        <LineDiff lines={lines} label="What changes" />
      ) : (
        <Nothing>It says the same as what is there.</Nothing>
      )}
    </Card>
  )
}

const linesOf = (text: string | undefined) => (text ? text.replace(/\n$/, '').split('\n') : [])

/** A text once it has been left alone for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 250)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}
