import { useEffect, useState } from 'react'
import type { Head } from '../api/client'
import css from './ArtifactPreview.module.css'
import { Markdown } from './Markdown'
import { delimiterOf, parseTable, type Sniffed } from './sniff'

interface Props {
  head: Head
  sniffed: Sniffed
  url: string
  title: string
}

/** A file in the form that suits it. */
export function FileView({ head, sniffed, url, title }: Props) {
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
          <iframe className={css.page} src={url} sandbox="" title={title} />
          <p className={css.note}>Scripts are off in reports shown here. Download the file if it needs them and you trust it.</p>
        </>
      )
    case 'markdown':
      return <Markdown text={text} />
    case 'json':
      return <pre className={css.text}>{JSON.stringify(JSON.parse(text), null, 2)}</pre>
    case 'table':
      return <Table text={text} whole={head.whole} title={title} />
    default:
      return <pre className={css.text}>{text}</pre>
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

const maxRows = 50

function Table({ text, whole, title }: { text: string; whole: boolean; title: string }) {
  const parsed = parseTable(text, delimiterOf(text) ?? ',', maxRows + 2)
  // The last row of a part may be cut off.
  const rows = whole || parsed.length > maxRows + 1 ? parsed : parsed.slice(0, -1)
  const [head = [], ...body] = rows
  const shown = body.slice(0, maxRows)
  return (
    <>
      <div className={css.scroll}>
        <table className={css.table}>
          <caption className="visually-hidden">{`First rows of ${title}`}</caption>
          <thead>
            <tr>
              {head.map((cell, i) => (
                // Columns have no identity but their place.
                // oxlint-disable-next-line react/no-array-index-key
                <th key={i} scope="col">
                  {cell}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, r) => (
              // oxlint-disable-next-line react/no-array-index-key
              <tr key={r}>
                {row.map((cell, c) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <td key={c}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {(!whole || body.length > maxRows) && <p className={css.note}>{`The first ${shown.length} rows.`}</p>}
    </>
  )
}
