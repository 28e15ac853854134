import { useState } from 'react'
import { useChangeModel } from '../api/tracking'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Confirm } from '../parts/Confirm'
import { Nothing, Notice } from '../parts/Notice'
import css from './ModelPage.module.css'

/** The tags of a model or of a version, which can be set and removed here. */
export function TagEditor({ title, model, version, tags }: { title: string; model: string; version?: string; tags: Record<string, string> }) {
  const change = useChangeModel(model, version)
  const [adding, setAdding] = useState(false)
  const [key, setKey] = useState('')
  const [value, setValue] = useState('')
  const [asking, setAsking] = useState<string>()
  const entries = Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return (
    <Card
      title={title}
      extra={
        !adding && (
          <Button icon="plus" onClick={() => setAdding(true)}>
            Set tag
          </Button>
        )
      }
    >
      {entries.length === 0 && !adding && <Nothing>None.</Nothing>}
      <ul className={css.tags}>
        {entries.map(([name, text]) => (
          <li key={name}>
            <strong>{name}</strong>
            <span>{text}</span>
            <Button look="quiet" icon="close" aria-label={`Remove the tag ${name}`} onClick={() => setAsking(name)} />
          </li>
        ))}
      </ul>
      {adding && (
        <form
          className={`${css.form} ${css.padded}`}
          onSubmit={(e) => {
            e.preventDefault()
            change.mutate(
              { tag: key.trim(), value },
              {
                onSuccess: () => {
                  setAdding(false)
                  setKey('')
                  setValue('')
                },
              },
            )
          }}
        >
          {/* The button that was pressed has made way for this field. */}
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
          <input autoFocus required aria-label="Name of the tag" placeholder="owner" maxLength={250} value={key} onChange={(e) => setKey(e.target.value)} />
          <input aria-label="Value of the tag" placeholder="ada" maxLength={5000} value={value} onChange={(e) => setValue(e.target.value)} />
          <Button type="submit" busy={change.isPending}>
            Save
          </Button>
          <Button look="quiet" onClick={() => setAdding(false)}>
            Back
          </Button>
        </form>
      )}
      {change.error && (
        <Notice tone="danger" title="The tag was not changed">
          {change.error.message}
        </Notice>
      )}
      {asking !== undefined && (
        <Confirm
          title="Remove a tag?"
          text={`The tag ${asking} and its value are removed.`}
          action="Remove"
          onConfirm={() => change.mutate({ tag: asking, value: undefined })}
          onClose={() => setAsking(undefined)}
        />
      )}
    </Card>
  )
}
