import { useState } from 'react'
import { useChangeAlias } from '../api/tracking'
import type { ModelVersion } from '../api/types'
import { Button } from '../parts/Button'
import { Confirm } from '../parts/Confirm'
import { Icon } from '../parts/icons'
import { Notice } from '../parts/Notice'
import css from './ModelPage.module.css'

/** The aliases of a version. Setting and removing one asks first: whoever loads the model by it gets another. */
export function Aliases({ model, version }: { model: string; version: ModelVersion }) {
  const change = useChangeAlias(model)
  const [adding, setAdding] = useState(false)
  const [name, setName] = useState('')
  const [asking, setAsking] = useState<{ alias: string; remove: boolean }>()
  return (
    <div className={css.aliases}>
      {version.aliases.map((alias) => (
        <span key={alias} className={css.alias}>
          @{alias}
          <button type="button" aria-label={`Remove the alias ${alias}`} title="Remove" onClick={() => setAsking({ alias, remove: true })}>
            <Icon name="close" size={12} />
          </button>
        </span>
      ))}
      {adding ? (
        <form
          className={css.form}
          onSubmit={(e) => {
            e.preventDefault()
            if (name.trim()) setAsking({ alias: name.trim(), remove: false })
          }}
        >
          {/* The button that was pressed has made way for this field. */}
          {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
          <input autoFocus aria-label="Name of the alias" placeholder="champion" value={name} maxLength={255} onChange={(e) => setName(e.target.value)} />
          <Button type="submit">Set</Button>
          <Button look="quiet" onClick={() => setAdding(false)}>
            Back
          </Button>
        </form>
      ) : (
        <Button icon="plus" busy={change.isPending} onClick={() => setAdding(true)}>
          Set alias
        </Button>
      )}
      {change.error && (
        <Notice tone="danger" title="The alias was not changed">
          {change.error.message}
        </Notice>
      )}
      {asking && (
        <Confirm
          title={asking.remove ? `Remove @${asking.alias}?` : `Let @${asking.alias} point to version ${version.version}?`}
          text={
            asking.remove
              ? `Whoever loads models:/${model}@${asking.alias} gets an error from then on.`
              : `Whoever loads models:/${model}@${asking.alias} gets version ${version.version} from then on. If it points to another version now, it leaves that.`
          }
          action={asking.remove ? 'Remove' : 'Set alias'}
          onConfirm={() => {
            change.mutate({ alias: asking.alias, version: asking.remove ? undefined : version.version })
            setAdding(false)
            setName('')
          }}
          onClose={() => setAsking(undefined)}
        />
      )}
    </div>
  )
}
