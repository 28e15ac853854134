import { useState } from 'react'
import { useHead } from '../api/queries'
import { bytes } from '../format/value'
import { Loading, Notice } from '../parts/Notice'
import css from './ArtifactPreview.module.css'
import { FileView } from './FileView'
import { sniff } from './sniff'

/** As much as is read of a text; an image is read whole up to the second limit. */
const textLimit = 256 * 1024
const imageLimit = 20 * 1024 * 1024

interface Props {
  url: string
  path: string
  size: number
  title?: string
  schemaTitle?: string
  /** True where what is at the address never changes. */
  fixed?: boolean
}

/** A file at an address of this server, in the form that suits it. */
export function HeldFile({ url, path, size, title = path, schemaTitle = '', fixed = false }: Props) {
  const looksLikeImage = /\.(png|jpe?g|gif|webp|svg)$/i.test(path)
  const [limit, setLimit] = useState(looksLikeImage ? imageLimit : textLimit)
  const head = useHead(url, limit, fixed ? Infinity : 0)
  if (head.isPending) return <Loading what="the file" />
  if (head.error) return <Notice tone="danger">{head.error.message}</Notice>
  const sniffed = sniff(head.data.bytes, head.data.whole, path, schemaTitle)
  if (sniffed.preview === 'image' && !head.data.whole && limit < imageLimit && size <= imageLimit) setLimit(imageLimit)
  return (
    <div className={css.preview} data-preview={sniffed.preview}>
      <FileView head={head.data} sniffed={sniffed} url={url} title={title} />
      {!head.data.whole && sniffed.text !== undefined && sniffed.preview !== 'html' && (
        <p className={css.note}>{`The first ${bytes(head.data.bytes.length)} of ${bytes(size)}.`}</p>
      )}
    </div>
  )
}
