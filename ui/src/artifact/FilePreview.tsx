import { useState } from 'react'
import { useHead } from '../api/queries'
import { bytes } from '../format/value'
import { Button } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import { CodeView } from './CodeView'
import css from './FilePreview.module.css'
import { FileView } from './FileView'
import { contentOf, isFixed, type Place } from './place'
import { looksLikeImage, sniff } from './sniff'

/** As much as is read of a text; an image is read whole up to the second limit. */
const textLimit = 256 * 1024
const imageLimit = 20 * 1024 * 1024

interface Props {
  place: Place
  /** The file in its place; empty for an artifact that is a file. */
  path: string
  size: number
  /** The name that says what kind of file it is, where the path does not. */
  name?: string
  title?: string
  schemaTitle?: string
}

/** A file in the form that suits it. This is the one preview of files; whatever shows files shows them with it. */
export function FilePreview({ place, path, size, name = path, title = name, schemaTitle = '' }: Props) {
  const url = contentOf(place, path)
  const [limit, setLimit] = useState(looksLikeImage(name) ? imageLimit : textLimit)
  const [plain, setPlain] = useState(false)
  const head = useHead(url, limit, isFixed(place) ? Infinity : 0)
  if (head.isPending) return <Loading what="the file" />
  if (head.error) return <Notice tone="danger">{head.error.message}</Notice>
  const sniffed = sniff(head.data.bytes, head.data.whole, name, schemaTitle)
  if (sniffed.preview === 'image' && !head.data.whole && limit < imageLimit && size <= imageLimit) setLimit(imageLimit)
  const source = sniffed.text !== undefined && ['html', 'markdown', 'table', 'report', 'mlmodel'].includes(sniffed.preview)
  const shown = plain && source ? 'text' : sniffed.preview
  return (
    <div className={css.preview} data-preview={shown}>
      {source && (
        <div className={css.head}>
          <Button look="quiet" aria-pressed={plain} onClick={() => setPlain(!plain)}>
            Show as text
          </Button>
        </div>
      )}
      {shown === 'text' ? <CodeView text={sniffed.text ?? ''} language={sniffed.language} title={title} /> : <FileView head={head.data} sniffed={sniffed} place={place} path={path} title={title} />}
      {!head.data.whole && (shown === 'text' || shown === 'markdown') && <p className={css.note}>{`The first ${bytes(head.data.bytes.length)} of ${bytes(size)}.`}</p>}
    </div>
  )
}
