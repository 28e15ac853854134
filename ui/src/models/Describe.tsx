import { useState } from 'react'
import { useChangeModel } from '../api/tracking'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { late } from '../parts/late'
import { Notice } from '../parts/Notice'
import css from './ModelPage.module.css'

const Markdown = late('the description', async () => ({ default: (await import('../artifact/Markdown')).Markdown }))

interface Props {
  model: string
  version?: string
  text: string | undefined
  what: 'model' | 'version'
}

/** The description of a model or of a version, which can be written here. */
export function Describe({ model, version, text, what }: Props) {
  const change = useChangeModel(model, version)
  const [draft, setDraft] = useState<string>()
  const title = what === 'model' ? 'Description of the model' : 'Description'
  if (draft === undefined && !text) {
    return (
      <div>
        <Button icon="plus" onClick={() => setDraft('')}>{`Describe the ${what}`}</Button>
      </div>
    )
  }
  if (draft === undefined) {
    return (
      <Card title={title} extra={<Button onClick={() => setDraft(text ?? '')}>Edit</Button>}>
        <Markdown text={text ?? ''} />
      </Card>
    )
  }
  return (
    <Card title={title}>
      <form
        className={css.describe}
        onSubmit={(e) => {
          e.preventDefault()
          change.mutate({ description: draft }, { onSuccess: () => setDraft(undefined) })
        }}
      >
        {/* The button that was pressed has made way for this field. */}
        {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
        <textarea autoFocus aria-label={title} rows={8} maxLength={100_000} value={draft} placeholder="What it is for, how it was trained, what it must not be used for. Markdown." onChange={(e) => setDraft(e.target.value)} />
        <div className={css.form}>
          <Button type="submit" busy={change.isPending}>
            Save
          </Button>
          <Button look="quiet" onClick={() => setDraft(undefined)}>
            Back
          </Button>
        </div>
        {change.error && (
          <Notice tone="danger" title="The description was not saved">
            {change.error.message}
          </Notice>
        )}
      </form>
    </Card>
  )
}
