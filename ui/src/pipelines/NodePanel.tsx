import type { ReactNode } from 'react'
import type { Component } from '../api/types'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Copy } from '../parts/Copy'
import { Changes } from './ChangeList'
import { bindings, type Comparison, componentOf, inputLine, loopText, type Merged, plain } from './diff'
import { MarkSign } from './MarkSign'
import css from './Pipelines.module.css'

interface Props {
  comparison: Comparison
  node: Merged
  comparing: boolean
  onClose: () => void
}

/** A task of a version: what it runs, what it takes and gives; with two versions first what differs. */
export function NodePanel({ comparison, node, comparing, onClose }: Props) {
  const shown = node.after ?? node.before
  if (!shown) return null
  const component = componentOf(node.after ? comparison.after : comparison.before, shown)
  return (
    <Card
      title={
        <>
          {node.mark !== 'same' && <MarkSign mark={node.mark} />} Task {shown.display_name}
        </>
      }
      extra={<Button look="quiet" icon="close" aria-label="Close the task" onClick={onClose} />}
    >
      <div className={css.panel}>
        {comparing && node.mark === 'added' && <p>This task is new.</p>}
        {comparing && node.mark === 'removed' && <p>This task is gone; this is what it was.</p>}
        {comparing && node.mark === 'same' && <p>Nothing differs in this task.</p>}
        {comparing && node.mark === 'changed' && node.changes.length === 0 && <p>Only what is inside differs.</p>}
        <Changes changes={node.changes} />
        <dl className={css.about}>
          <Item name="Name">{shown.name === shown.display_name ? undefined : <code>{shown.name}</code>}</Item>
          <Item name="Condition">{shown.condition && <code>{plain(shown.condition)}</code>}</Item>
          <Item name="Loop">{loopText(shown)}</Item>
          <Item name="Waits for">{shown.depends_on?.join(', ')}</Item>
          <Item name="Runs">{shown.always && 'however those before it ended'}</Item>
          <Item name="Cache">{component?.kind === 'container' && (shown.cache ? 'on' : 'off')}</Item>
          <Item name="Retries">{shown.retries}</Item>
          <Item name="Values">{(shown.inputs?.length ?? 0) > 0 && <List lines={bindings(shown)} />}</Item>
          {component && <OfComponent component={component} />}
        </dl>
        {component?.step?.code && <Code title="Code" text={component.step.code} />}
        {component?.step?.command && <Code title="Command" text={component.step.command.join('\n')} />}
      </div>
    </Card>
  )
}

function OfComponent({ component }: { component: Component }) {
  const { step } = component
  return (
    <>
      <Item name="Inputs">{component.inputs.length > 0 && <List lines={component.inputs.map(inputLine)} />}</Item>
      <Item name="Outputs">{component.outputs.length > 0 && <List lines={component.outputs.map((o) => `${o.name}: ${o.type}${o.list ? ', a list' : ''}`)} />}</Item>
      <Item name="Address">{component.uri && <code>{component.uri}</code>}</Item>
      <Item name="Image">{step && <code>{step.image}</code>}</Item>
      <Item name="Requirements">{(step?.requirements?.length ?? 0) > 0 && <List lines={step?.requirements ?? []} />}</Item>
      <Item name="Settings">{(step?.settings?.length ?? 0) > 0 && <List lines={step?.settings?.map((s) => `${s.name}: ${s.value}`) ?? []} />}</Item>
    </>
  )
}

/** A fact, when there is one. */
function Item({ name, children }: { name: string; children: ReactNode }) {
  if (children === undefined || children === false || children === '' || children === 0 || children === null) return null
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}

function List({ lines }: { lines: readonly string[] }) {
  return (
    <ul className={css.lines}>
      {lines.map((line) => (
        <li key={line}>
          <code>{line}</code>
        </li>
      ))}
    </ul>
  )
}

function Code({ title, text }: { title: string; text: string }) {
  return (
    <details className={css.code}>
      <summary>
        {title} <span>{text.trim().split('\n').length} lines</span>
      </summary>
      <div className={css.codeText}>
        {/* Keyboards scroll what has the focus. */}
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
        <pre role="group" aria-label={title} tabIndex={0}>
          {text.trim()}
        </pre>
        <Copy text={text} label={`Copy the ${title.toLowerCase()}`} />
      </div>
    </details>
  )
}
