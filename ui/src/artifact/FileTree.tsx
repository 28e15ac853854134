import { useMemo, useState } from 'react'
import { useFiles } from '../api/queries'
import { useTrackedFiles } from '../api/tracking'
import { bytes, count } from '../format/value'
import { Button, ButtonLink } from '../parts/Button'
import { Icon } from '../parts/icons'
import { late } from '../parts/late'
import { Loading, Notice } from '../parts/Notice'
import { contentOf, type Place } from './place'
import css from './FileTree.module.css'

const FilePreview = late('the file', async () => ({ default: (await import('./FilePreview')).FilePreview }))

/** A file or a directory, with its whole path. */
export interface Entry {
  path: string
  dir?: boolean | undefined
  size: number
}

interface Props {
  place: Place
  /** All files, where they are known already; else directories are read when they are opened. */
  files?: readonly Entry[] | undefined
  /** The file whose preview is open. */
  open: string
  onOpen: (path: string) => void
  empty: string
  label: string
}

const many = 200

/** Directories that open in place, and files that are shown beneath their row. */
export function FileTree(props: Props) {
  return (
    <nav className={css.tree} aria-label={props.label}>
      <Directory {...props} dir="" />
    </nav>
  )
}

function Directory({ dir, ...props }: Props & { dir: string }) {
  const { entries, error } = useListing(props.place, props.files, dir)
  const [shown, setShown] = useState(many)
  if (error) {
    return (
      <Notice tone="danger" title="The files cannot be listed">
        {error.message}
      </Notice>
    )
  }
  if (!entries) return <Loading what="the files" />
  if (entries.length === 0) return <p className={css.empty}>{dir ? 'The directory is empty.' : props.empty}</p>
  return (
    <ul className={css.list}>
      {entries.slice(0, shown).map((entry) => (
        <Row key={entry.path} entry={entry} {...props} />
      ))}
      {entries.length > shown && (
        <li className={css.more}>
          <Button onClick={() => setShown(shown + many)}>{`Show ${count(Math.min(many, entries.length - shown), 'more file')} of ${entries.length - shown}`}</Button>
        </li>
      )}
    </ul>
  )
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1)

function Row({ entry, ...props }: Props & { entry: Entry }) {
  const within = props.open.startsWith(`${entry.path}/`)
  const [unfolded, setUnfolded] = useState<boolean>()
  const open = entry.dir ? (unfolded ?? within) : props.open === entry.path
  const name = nameOf(entry.path)
  return (
    <li>
      <div className={css.row}>
        <button type="button" className={css.name} aria-expanded={open} onClick={() => (entry.dir ? setUnfolded(!open) : props.onOpen(open ? '' : entry.path))}>
          <span className={css.chevron} data-open={open}>
            <Icon name="chevron" size={12} />
          </span>
          <Icon name={entry.dir ? 'folder' : 'file'} />
          <bdi>
            {name}
            {entry.dir && '/'}
          </bdi>
        </button>
        {!entry.dir && (
          <>
            <span className={css.size}>{bytes(entry.size)}</span>
            <ButtonLink icon="download" label={`Download ${name}`} href={contentOf(props.place, entry.path, true)} download />
          </>
        )}
      </div>
      {open && <div className={entry.dir ? css.inside : css.preview}>{entry.dir ? <Directory {...props} dir={entry.path} /> : <Preview place={props.place} entry={entry} />}</div>}
    </li>
  )
}

function Preview({ place, entry }: { place: Place; entry: Entry }) {
  return <FilePreview place={place} path={entry.path} size={entry.size} />
}

interface Listing {
  entries: readonly Entry[] | undefined
  error: Error | null
}

/** What is directly in a directory. An artifact's files come all at once, those of a run a directory at a time. */
function useListing(place: Place, known: readonly Entry[] | undefined, dir: string): Listing {
  const all = useFiles(place.kind === 'artifact' ? place.id : '', place.kind === 'artifact' && !known)
  const some = useTrackedFiles(place.kind === 'run' ? place.id : '', dir, place.kind === 'run' && !known)
  const files = known ?? all.data?.files
  const children = useMemo(() => files && childrenOf(files, dir), [files, dir])
  return place.kind === 'run' && !known ? { entries: some.data?.files, error: some.error } : { entries: children, error: all.error }
}

/** What is directly in a directory, of a list of all files: directories first. */
export function childrenOf(files: readonly Entry[], dir: string): Entry[] {
  const prefix = dir ? `${dir}/` : ''
  const dirs = new Map<string, Entry>()
  const inside: Entry[] = []
  for (const file of files) {
    if (!file.path.startsWith(prefix)) continue
    const rest = file.path.slice(prefix.length)
    const slash = rest.indexOf('/')
    if (slash < 0) inside.push(file)
    else dirs.set(rest.slice(0, slash), { path: prefix + rest.slice(0, slash), dir: true, size: 0 })
  }
  return [...dirs.values(), ...inside]
}
