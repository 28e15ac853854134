import { useId, useState } from 'react'
import { Link } from 'wouter'
import type { ImagesProfile, ProfileColumn } from '../api/types'
import { contentOf, type Place } from '../artifact/place'
import { count, number } from '../format/value'
import { Button } from '../parts/Button'
import css from './Profile.module.css'
import own from './Images.module.css'
import { score, share } from './figures'

/** What each issue means, for people. */
const words: Record<string, string> = {
  exact_duplicates: 'the same pixels as another',
  near_duplicates: 'looks the same as another',
  dark: 'next to no light in it',
  light: 'next to no dark in it',
  blurry: 'no sharp edges',
  low_information: 'next to nothing to see',
  odd_aspect_ratio: 'unusual proportions',
  odd_size: 'unusual size',
  grayscale: 'no colours',
}

interface Props {
  images: ImagesProfile
  columns: readonly ProfileColumn[]
  place: Place | undefined
}

const tally = (counts: Record<string, number>) =>
  Object.entries(counts)
    .toSorted((a, b) => b[1] - a[1])
    .map(([name, n]) => `${number(n)} ${name}`)
    .join(', ')

/** What images are like: how many have which issue, with examples. */
export function ImagesView({ images, columns, place }: Props) {
  const range = (name: string) => {
    const c = columns.find((column) => column.name === name)
    return c?.min === c?.max ? (c?.min ?? '–') : `${c?.min} to ${c?.max}`
  }
  return (
    <section aria-label="Images" className={own.images}>
      <p>
        {`${count(images.images, 'image')}, ${share(images.with_issues, images.images)} with an issue. ${tally(images.formats)}; ${tally(images.modes)}. Width ${range('width')}, height ${range('height')} pixels.`}
        {images.channels && ` Mean and deviation of the channels, from 0 to 1: ${images.channels.map((c) => `${c.name} ${c.mean.toFixed(3)} ± ${c.sd.toFixed(3)}`).join(', ')}.`}
      </p>
      <table className={css.grid}>
        <caption className="visually-hidden">Issues of images</caption>
        <thead>
          <tr>
            <th scope="col">Issue</th>
            <th scope="col" className={css.right}>
              Images
            </th>
            <th scope="col" className={css.right}>
              Score below
            </th>
            <th scope="col">Worst</th>
          </tr>
        </thead>
        <tbody>
          {images.issues.map((issue) => (
            <Issue key={issue.issue} issue={issue} images={images} place={place} />
          ))}
        </tbody>
      </table>
      <Broken images={images} />
    </section>
  )
}

function Issue({ issue, images, place }: { issue: ImagesProfile['issues'][number]; images: ImagesProfile; place: Place | undefined }) {
  const [open, setOpen] = useState(false)
  const id = useId()
  const name = issue.issue.replaceAll('_', ' ')
  const worst = issue.worst ?? []
  return (
    <>
      <tr data-issue={issue.issue}>
        <th scope="row">
          {worst.length > 0 && <Button look="quiet" icon={open ? 'down' : 'chevron'} aria-label={`${open ? 'Hide' : 'Show'} images: ${name}`} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)} />}
          {name}
          <span className={css.soft}>{` ${words[issue.issue] ?? ''}`}</span>
        </th>
        <td className={css.right}>{share(issue.count, images.images)}</td>
        <td className={css.right}>{issue.below ? score(issue.below) : '–'}</td>
        <td>
          <bdi>{worst[0]?.file ?? '–'}</bdi>
        </td>
      </tr>
      {open && (
        <tr id={id}>
          <td colSpan={4} className={css.detail}>
            <Gallery issue={issue.issue} images={images} worst={worst} place={place} />
          </td>
        </tr>
      )}
    </>
  )
}

/** Duplicates set by set, other images from the worst on. */
function Gallery({ issue, images, worst, place }: { issue: string; images: ImagesProfile; worst: readonly { file: string; score: number }[]; place: Place | undefined }) {
  const sets = issue === 'exact_duplicates' ? images.exact_duplicate_sets : issue === 'near_duplicates' ? images.near_duplicate_sets : undefined
  if (!sets) {
    return (
      <ul className={own.gallery}>
        {worst.map((w) => (
          <Thumbnail key={w.file} file={w.file} note={`score ${score(w.score)}`} place={place} />
        ))}
      </ul>
    )
  }
  return sets.slice(0, 5).map((set, i) => (
    // oxlint-disable-next-line react/no-array-index-key
    <div key={i}>
      <p className={css.head}>{count(set.count, 'image')}</p>
      <ul className={own.gallery}>
        {set.files.map((file) => (
          <Thumbnail key={file} file={file} place={place} />
        ))}
      </ul>
    </div>
  ))
}

/** An image and its name. Only what is in sight is read; a format that the browser does not know has its name alone. */
function Thumbnail({ file, note, place }: { file: string; note?: string; place: Place | undefined }) {
  const [shown, setShown] = useState(true)
  return (
    <li className={own.thumbnail}>
      {place && shown && <img src={contentOf(place, file)} alt={file} loading="lazy" decoding="async" onError={() => setShown(false)} />}
      {place?.kind === 'artifact' ? (
        <Link href={`/artifacts/${place.id}?${new URLSearchParams({ file })}`} title={file}>
          <bdi>{file}</bdi>
        </Link>
      ) : (
        <bdi title={file}>{file}</bdi>
      )}
      {note && <span className={css.soft}>{note}</span>}
    </li>
  )
}

function Broken({ images }: { images: ImagesProfile }) {
  if (images.broken === 0) return null
  const files = images.broken_files ?? []
  return (
    <>
      <p className={css.head}>{`${count(images.broken, 'file')} cannot be read as images`}</p>
      <ul className={css.findings}>
        {files.slice(0, 20).map((f) => (
          <li key={f.file} data-broken={f.file}>
            <bdi className={css.name}>{f.file}</bdi>
            <bdi>{f.why}</bdi>
          </li>
        ))}
        {images.broken > 20 && <li className={css.soft}>{`and ${number(images.broken - Math.min(20, files.length))} more`}</li>}
      </ul>
    </>
  )
}
