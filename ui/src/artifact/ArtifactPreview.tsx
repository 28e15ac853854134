import { useState } from 'react'
import { contentUrl, useContentHead, useFiles } from '../api/queries'
import type { Artifact, BlobFile } from '../api/types'
import { bytes } from '../format/value'
import { ButtonLink } from '../parts/Button'
import { Loading, Notice } from '../parts/Notice'
import css from './ArtifactPreview.module.css'
import { FileView } from './FileView'
import { sniff } from './sniff'

/** What is in an artifact: the file, or the list of a directory's files. */
export default function ArtifactPreview({ artifact }: { artifact: Artifact }) {
  return artifact.digest?.startsWith('dir-') ? <Directory artifact={artifact} /> : <File artifact={artifact} path="" size={artifact.size} />
}

const manyFiles = 200

function Directory({ artifact }: { artifact: Artifact }) {
  const files = useFiles(artifact.id, true)
  const [open, setOpen] = useState<BlobFile>()
  if (files.isPending) return <Loading what="the files" />
  if (files.error) return <Notice tone="danger">{files.error.message}</Notice>
  const shown = files.data.files.slice(0, manyFiles)
  return (
    <div className={css.preview} data-preview="directory">
      <ul className={css.files}>
        {shown.map((file) => (
          <li key={file.path}>
            <button type="button" aria-expanded={open === file} onClick={() => setOpen(open === file ? undefined : file)}>
              {file.path}
            </button>
            <span className={css.size}>{bytes(file.size)}</span>
            <ButtonLink icon="download" label={`Download ${file.path}`} href={contentUrl(artifact.id, file.path, true)} download />
          </li>
        ))}
      </ul>
      {files.data.files.length > manyFiles && (
        <p className={css.note}>{`and ${files.data.files.length - manyFiles} more: download the artifact to have them all`}</p>
      )}
      {open && <File key={open.path} artifact={artifact} path={open.path} size={open.size} />}
    </div>
  )
}

/** As much as is read of a text; an image is read whole up to the second limit. */
const textLimit = 256 * 1024
const imageLimit = 20 * 1024 * 1024

function File({ artifact, path, size }: { artifact: Artifact; path: string; size: number }) {
  const name = path || artifact.custom_path || ''
  const looksLikeImage = /\.(png|jpe?g|gif|webp|svg)$/i.test(name)
  const [limit, setLimit] = useState(looksLikeImage ? imageLimit : textLimit)
  const head = useContentHead(artifact.id, path, limit)
  if (head.isPending) return <Loading what="the file" />
  if (head.error) return <Notice tone="danger">{head.error.message}</Notice>
  const sniffed = sniff(head.data.bytes, head.data.whole, name, artifact.schema_title)
  if (sniffed.preview === 'image' && !head.data.whole && limit < imageLimit && size <= imageLimit) setLimit(imageLimit)
  return (
    <div className={css.preview} data-preview={sniffed.preview}>
      <FileView head={head.data} sniffed={sniffed} url={contentUrl(artifact.id, path)} title={path || artifact.name} />
      {!head.data.whole && sniffed.text !== undefined && sniffed.preview !== 'html' && (
        <p className={css.note}>{`The first ${bytes(head.data.bytes.length)} of ${bytes(size)}.`}</p>
      )}
    </div>
  )
}
