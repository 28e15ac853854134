import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { useDeploy, useEndpoints } from '../api/endpoints'
import { useModel, useModels } from '../api/tracking'
import type { Endpoint, EndpointSettings } from '../api/types'
import { Field } from '../form/Field'
import formCss from '../form/Form.module.css'
import { Button } from '../parts/Button'
import { Notice } from '../parts/Notice'
import css from './Endpoints.module.css'

interface FrameProps {
  title: string
  action: string
  busy: boolean
  disabled: boolean
  /** What it was that was not done, and why. */
  failed: string
  error: Error | null
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}

/** A dialog with a form. */
export function FormDialog({ title, action, busy, disabled, failed, error, onSubmit, onClose, children }: FrameProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    dialog.current?.showModal()
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (!disabled && !busy) onSubmit()
  }
  return (
    <dialog ref={dialog} className={css.dialog} aria-labelledby={id} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <h2 id={id}>{title}</h2>
        {children}
        {error && (
          <Notice tone="danger" title={failed}>
            {error.message}
          </Notice>
        )}
        <div className={css.buttons}>
          <Button onClick={() => dialog.current?.close()}>Back</Button>
          <Button type="submit" look="primary" busy={busy} disabled={disabled}>
            {action}
          </Button>
        </div>
      </form>
    </dialog>
  )
}

type VersionSelectProps = { model: string; others?: string[]; value: string; onChange: (version: string) => void; label: string; help?: string }

/** Chooses an alias or a version of a model, or one of the others, which are on other servers. */
export function VersionSelect({ model, others = [], value, onChange, label, help }: VersionSelectProps) {
  const { data } = useModel(model)
  const versions = data?.versions ?? []
  return (
    <Field label={label} help={help}>
      {(wiring) => (
        <select {...wiring} className={formCss.control} value={value} onChange={(e) => onChange(e.target.value)}>
          <option value="">choose…</option>
          {versions.flatMap((v) =>
            v.aliases.map((a) => (
              <option key={`@${a}`} value={`@${a}`}>
                @{a} (version {v.version})
              </option>
            )),
          )}
          {versions.map((v) => (
            <option key={v.version} value={v.version}>
              version {v.version}
            </option>
          ))}
          {others.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

const settingFields = [
  { name: 'workers', label: 'Workers', standard: '1' },
  { name: 'max_workers', label: 'Most workers', standard: 'as workers' },
  { name: 'max_batch', label: 'Rows of a batch', standard: '256' },
  { name: 'queue_limit', label: 'Requests that may wait', standard: '512' },
  { name: 'timeout_ms', label: 'Timeout, ms', standard: '30000' },
  { name: 'memory_mb', label: 'Memory of a worker, MiB', standard: 'no limit' },
  { name: 'idle_seconds', label: 'Idle after, seconds', standard: 'never' },
] as const

type SettingName = (typeof settingFields)[number]['name']

const validName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/** What is wrong with a name of an endpoint or a graph. */
export const wrongName = (name: string) => (validName.test(name) ? undefined : 'Letters, digits, dots, hyphens and underscores, at most 63; the first is a letter or digit.')

/** Deploys a version of a model: to an endpoint that is there, or to a new one. */
export function DeployDialog({ endpoint, model: given, version: first = '', onClose }: { endpoint?: Endpoint; model?: string; version?: string; onClose: () => void }) {
  const models = useModels('')
  const endpoints = useEndpoints()
  const [, navigate] = useLocation()
  const names = models.data?.pages.flatMap((page) => page.models.map((m) => m.name)) ?? []
  const [model, setModel] = useState(endpoint?.spec.model ?? given ?? '')
  const [version, setVersion] = useState(first)
  const [name, setName] = useState(endpoint?.name ?? '')
  const [share, setShare] = useState('100')
  const [edits, setEdits] = useState<Partial<Record<SettingName, string>>>({})
  const deploy = useDeploy()
  const known = endpoint ?? endpoints.data?.endpoints.find((e) => e.name === name)
  const percent = share.trim() === '' ? Number.NaN : Number(share)
  const settings = readSettings(edits, known?.spec.settings ?? {})
  const nameError = name === '' ? undefined : wrongName(name)
  const wrongShare = percent >= 0 && percent <= 100 ? undefined : 'A number from 0 to 100.'
  const wrongModel = known?.spec.model && known.spec.model !== model && model !== '' ? `The endpoint ${known.name} serves the model ${known.spec.model}.` : undefined
  const complete = model !== '' && version !== '' && name !== '' && !nameError && !wrongShare && !wrongModel && !settings.wrong
  const submit = () =>
    deploy.mutate(
      { name, model: version.startsWith('@') ? `models:/${model}${version}` : `models:/${model}/${version}`, ...(percent === 100 ? {} : { percent }), ...(settings.changed ? { settings: settings.changed } : {}) },
      {
        onSuccess: () => {
          onClose()
          navigate(`/endpoints/${encodeURIComponent(name)}`)
        },
      },
    )
  return (
    <FormDialog title={endpoint ? `Deploy a version to ${endpoint.name}` : 'Deploy a model'} action="Deploy" busy={deploy.isPending} disabled={!complete} failed="It was not deployed" error={deploy.error} onSubmit={submit} onClose={onClose}>
      {!endpoint?.spec.model && (
        <Field label="Model" error={wrongModel}>
          {(wiring) => (
            <select
              {...wiring}
              className={formCss.control}
              value={model}
              onChange={(e) => {
                setModel(e.target.value)
                setVersion('')
                if (name === '' && validName.test(e.target.value)) setName(e.target.value)
              }}
            >
              <option value="">choose…</option>
              {names.map((n) => (
                <option key={n}>{n}</option>
              ))}
            </select>
          )}
        </Field>
      )}
      {model !== '' && <VersionSelect model={model} value={version} onChange={setVersion} label="Version" help="An alias is resolved now; moving it later moves no traffic." />}
      {!endpoint && (
        <Field label="Endpoint" error={nameError} help={known ? 'It is there: the version is loaded beside what it serves.' : 'The name in the address of requests.'}>
          {(wiring) => <input {...wiring} className={formCss.control} value={name} maxLength={63} onChange={(e) => setName(e.target.value)} />}
        </Field>
      )}
      <Field label="Share of the requests, %" error={wrongShare} help="100: the version replaces what was there. 0: it is loaded and answers only who asks for it.">
        {(wiring) => <input {...wiring} className={formCss.control} inputMode="decimal" value={share} onChange={(e) => setShare(e.target.value)} />}
      </Field>
      <details className={css.more}>
        <summary>Settings of the endpoint</summary>
        <div className={css.pair}>
          {settingFields.map(({ name: setting, label, standard }) => (
            <Field key={setting} label={label} error={settings.wrong === setting ? 'A whole number.' : undefined}>
              {(wiring) => (
                <input
                  {...wiring}
                  className={formCss.control}
                  inputMode="numeric"
                  placeholder={standard}
                  value={edits[setting] ?? String(known?.spec.settings[setting] || '')}
                  onChange={(e) => setEdits({ ...edits, [setting]: e.target.value })}
                />
              )}
            </Field>
          ))}
        </div>
      </details>
    </FormDialog>
  )
}

/** The settings with what was typed; changed is absent where nothing was. */
export function readSettings(edits: Partial<Record<SettingName, string>>, before: EndpointSettings): { changed?: EndpointSettings; wrong?: SettingName } {
  const changed: EndpointSettings = { ...before }
  for (const [name, text] of Object.entries(edits) as [SettingName, string][]) {
    if (!/^\d{0,9}$/.test(text.trim())) return { wrong: name }
    changed[name] = Number(text)
  }
  return Object.keys(edits).length > 0 ? { changed } : {}
}

export default DeployDialog
