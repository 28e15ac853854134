import { type DragEvent, type FormEvent, useId, useRef, useState } from 'react'
import { useUpload } from '../api/pipelines'
import type { PipelineVersion } from '../api/types'
import { Field } from '../form/Field'
import form from '../form/Form.module.css'
import { bytes } from '../format/value'
import { Button } from '../parts/Button'
import { Card } from '../parts/Card'
import { Notice } from '../parts/Notice'
import css from './Pipelines.module.css'

/** As much as the server takes. */
const largest = 32 << 20

interface Chosen {
  file: string
  spec: string
}

interface Props {
  /** The pipeline that gets a further version; without it a new pipeline is made. */
  pipeline?: { id: string; name: string }
  onDone: (version: PipelineVersion) => void
}

/** Takes a compiled pipeline, dropped or chosen. The server checks it whole and says what is wrong. */
export function UploadBox({ pipeline, onDone }: Props) {
  const [chosen, setChosen] = useState<Chosen>()
  const [trouble, setTrouble] = useState<string>()
  const [name, setName] = useState('')
  const upload = useUpload(pipeline?.id)
  const take = async (file: File | undefined) => {
    if (!file) return
    upload.reset()
    setTrouble(file.size > largest ? `${file.name} has ${bytes(file.size)}; a pipeline has at most ${bytes(largest)}.` : undefined)
    if (file.size > largest) return setChosen(undefined)
    setChosen({ file: file.name, spec: await file.text() })
    if (pipeline) setName(`${pipeline.name} ${stamp(new Date())}`)
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (chosen) upload.mutate({ spec: chosen.spec, name: name.trim() }, { onSuccess: onDone })
  }
  const error = trouble ?? upload.error?.message
  return (
    <Card title={pipeline ? 'Upload a version' : 'Upload a pipeline'}>
      <form className={form.fields} onSubmit={submit}>
        <DropZone chosen={chosen?.file} onFile={(file) => void take(file)} />
        {error && (
          <Notice tone="danger" title="It was not uploaded">
            <span className={css.problem}>{error}</span>
          </Notice>
        )}
        {chosen && (
          <>
            <Field label={pipeline ? 'Name of the version' : 'Name'} help={pipeline ? 'No two versions of a pipeline have the same.' : 'Without one: the name inside the file. No two pipelines have the same.'}>
              {(wiring) => <input {...wiring} className={form.control} type="text" maxLength={255} autoComplete="off" value={name} onChange={(e) => setName(e.target.value)} />}
            </Field>
            <div>
              <Button type="submit" look="primary" busy={upload.isPending}>
                {upload.isPending ? 'Uploading…' : 'Upload'}
              </Button>
            </div>
          </>
        )}
      </form>
    </Card>
  )
}

/** "2026-03-01 14:05:09" */
function stamp(time: Date): string {
  const pad = (n: number) => String(n).padStart(2, '0')
  return `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())} ${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}`
}

function DropZone({ chosen, onFile }: { chosen: string | undefined; onFile: (file: File | undefined) => void }) {
  const [over, setOver] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const id = useId()
  const drop = (event: DragEvent) => {
    event.preventDefault()
    setOver(false)
    onFile(event.dataTransfer.files[0])
  }
  return (
    // The field inside does the same for keyboards.
    // oxlint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={`${css.drop} ${over ? css.over : ''}`}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <label htmlFor={id}>{chosen ?? 'Drop a compiled pipeline here (.yaml, .json), or choose one'}</label>
      <input
        id={id}
        ref={input}
        type="file"
        accept=".yaml,.yml,.json"
        onChange={(event) => {
          onFile(event.target.files?.[0])
          // The same file may be chosen again after it was changed.
          event.target.value = ''
        }}
      />
    </div>
  )
}
