import { useEffect, useState } from 'react'
import type { Head } from '../api/client'
import { late } from '../parts/late'
import { CodeView } from './CodeView'
import css from './FilePreview.module.css'
import { Markdown } from './Markdown'
import { contentOf, type Place } from './place'
import type { Sniffed } from './sniff'

const TableView = late('the table', async () => ({ default: (await import('./TableView')).TableView }))
const ReportView = late('the report', async () => ({ default: (await import('../profile/ReportView')).ReportView }))
const MLmodelView = late('the model’s signature', async () => ({ default: (await import('./MLmodelView')).MLmodelView }))

interface Props {
  head: Head
  sniffed: Sniffed
  place: Place
  path: string
  title: string
}

/** A file in the form that suits it. */
export function FileView({ head, sniffed, place, path, title }: Props) {
  const text = sniffed.text ?? ''
  switch (sniffed.preview) {
    case 'empty':
      return <p className={css.note}>The file is empty.</p>
    case 'binary':
      return <p className={css.note}>This is no text, so there is nothing to show. Download it instead.</p>
    case 'image':
      return <Picture head={head} mime={sniffed.mime ?? ''} title={title} />
    case 'html':
      return (
        <>
          {/* The server forbids scripts in artifacts, and so does the empty sandbox. */}
          <iframe className={css.page} src={contentOf(place, path)} sandbox="" title={title} />
          <p className={css.note}>Scripts are off in reports shown here. Download the file if it needs them and you trust it.</p>
        </>
      )
    case 'markdown':
      return <Markdown text={text} />
    case 'json':
      return <CodeView text={JSON.stringify(JSON.parse(text), null, 2)} language="json" title={title} />
    case 'table':
      return <TableView place={place} path={path} title={title} text={sniffed.text} />
    case 'report':
      return <ReportView place={place} path={path} title={title} text={text} />
    case 'mlmodel':
      return <MLmodelView place={place} path={path} text={text} />
    default:
      return <CodeView text={text} language={sniffed.language} title={title} />
  }
}

function Picture({ head, mime, title }: { head: Head; mime: string; title: string }) {
  const [url, setUrl] = useState<string>()
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([head.bytes], { type: mime }))
    setUrl(made)
    return () => URL.revokeObjectURL(made)
  }, [head, mime])
  if (!head.whole) return <p className={css.note}>The image is too large to show. Download it instead.</p>
  return url ? <img className={css.image} src={url} alt={title} /> : null
}
