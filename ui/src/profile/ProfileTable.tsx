import { useId, useState } from 'react'
import type { Profile, ProfileColumn } from '../api/types'
import { count, number } from '../format/value'
import { Button } from '../parts/Button'
import type { Place } from '../artifact/place'
import { Bars } from './Bars'
import { Findings } from './Findings'
import { ImagesView } from './ImagesView'
import { Personal, TextPart } from './TextPart'
import { ProfileHead } from './ProfileHead'
import { figure, share } from './figures'
import css from './Profile.module.css'

const fewColumns = 100
const toTheRight = (c: ProfileColumn) => c.type === 'integer' || c.type === 'number'

interface Props {
  profile: Profile
  title: string
  /** Where the images are that the profile is about, where they can be shown. */
  place?: Place
}

/** What the columns of a table are like. A row opens to all that is known of a column. */
export function ProfileTable({ profile, title, place }: Props) {
  const [all, setAll] = useState(false)
  // Of images the issues stand above.
  const known = profile.images ? profile.columns.filter((c) => c.type !== 'boolean') : profile.columns
  const columns = all ? known : known.slice(0, fewColumns)
  const estimated = profile.columns.some((c) => c.distinct_estimated || c.rank_error || c.top_bounded)
  return (
    <div className={css.profile}>
      <p className={css.note}>
        {`${count(profile.rows, 'row')}, ${count(profile.columns.length, 'column')}, all of them read.`}
        {profile.parts && ` ${count(profile.parts.files, 'file')}${profile.parts.read < profile.parts.files ? `, ${number(profile.parts.files - profile.parts.read)} of them known from before` : ''}.`}
        {estimated && ' Figures with ≈ are estimates: there are too many different values to count each.'}
      </p>
      <Personal columns={profile.columns} />
      {profile.images && <ImagesView images={profile.images} columns={profile.columns} place={place} />}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.scroll} tabIndex={0} role="region" aria-label={`Profile of ${title}`}>
        <table className={css.grid}>
          <ProfileHead right={css.right} />
          <tbody>
            {columns.map((c, i) => (
              // Columns have no identity but their place; two may have one name.
              // oxlint-disable-next-line react/no-array-index-key
              <Row key={i} column={c} />
            ))}
          </tbody>
        </table>
      </div>
      {columns.length < known.length && (
        <p className={css.note}>
          <Button onClick={() => setAll(true)}>{`Show ${known.length - columns.length} more columns`}</Button>
        </p>
      )}
      <Findings title="How the table was read" findings={profile.findings} />
    </div>
  )
}

function Row({ column: c }: { column: ProfileColumn }) {
  const [open, setOpen] = useState(false)
  const id = useId()
  return (
    <>
      <tr data-column={c.name}>
        <th scope="row" title={c.name}>
          <Button look="quiet" icon={open ? 'down' : 'chevron'} aria-label={`${open ? 'Less' : 'More'} about ${c.name}`} aria-expanded={open} aria-controls={id} onClick={() => setOpen(!open)} />
          <bdi>{c.name}</bdi>
        </th>
        <td title={c.declared}>{c.type}</td>
        <td className={css.right}>{share(c.nulls, c.count)}</td>
        <td className={css.right}>{figure(c.distinct, c.distinct_estimated)}</td>
        <td title={c.min} className={toTheRight(c) ? css.right : undefined}>
          <bdi>{c.min ?? '–'}</bdi>
        </td>
        <td title={c.max} className={toTheRight(c) ? css.right : undefined}>
          <bdi>{c.max ?? '–'}</bdi>
        </td>
        <td className={css.right}>{figure(c.mean)}</td>
        <td>{c.histogram ? <Bars counts={c.histogram.counts} label={`Histogram of ${c.name} from ${c.min} to ${c.max}${c.histogram.estimated ? ', estimated' : ''}`} /> : '–'}</td>
        <td className={css.top}>
          <Top column={c} most={1} />
        </td>
      </tr>
      {open && (
        <tr id={id}>
          <td colSpan={9} className={css.detail}>
            <Detail column={c} />
          </td>
        </tr>
      )}
    </>
  )
}

function Top({ column: c, most }: { column: ProfileColumn; most: number }) {
  if (!c.top || c.top.length === 0) return <span className={css.soft}>{c.distinct > 0 ? 'each value once' : '–'}</span>
  return (
    <ul className={css.values}>
      {c.top.slice(0, most).map((v) => (
        <li key={v.value}>
          <bdi title={v.value}>{v.value}</bdi>
          <span>{`${c.top_bounded ? '≈ ' : ''}${share(v.count, c.count - c.nulls)}`}</span>
        </li>
      ))}
    </ul>
  )
}

/** All figures of a column, by name. */
function facts(c: ProfileColumn): [string, string][] {
  const out: [string, string | undefined][] = [
    ['Declared as', c.declared],
    ['Kinds', c.kinds && Object.entries(c.kinds).map(([kind, n]) => `${kind} ${number(n)}`).join(', ')],
    ['Standard deviation', c.sd === undefined ? undefined : figure(c.sd)],
    ['Skewness', c.skew === undefined ? undefined : figure(c.skew)],
    ['Kurtosis', c.kurtosis === undefined ? undefined : figure(c.kurtosis)],
    ['Zeros', c.zero ? share(c.zero, c.count - c.nulls) : undefined],
    ['Negative', c.negative ? share(c.negative, c.count - c.nulls) : undefined],
    ['NaN', c.nan ? share(c.nan, c.count - c.nulls) : undefined],
    ['Infinite', c.infinite ? share(c.infinite, c.count - c.nulls) : undefined],
    ['Length', c.length && `${number(c.length.min)} to ${number(c.length.max)}, mean ${figure(c.length.mean)}`],
    ['Empty texts', c.length?.empty ? share(c.length.empty, c.count - c.nulls) : undefined],
    ['Not in UTF-8', c.length?.broken ? share(c.length.broken, c.count - c.nulls) : undefined],
  ]
  return out.filter((f): f is [string, string] => f[1] !== undefined && f[1] !== '')
}

function Detail({ column: c }: { column: ProfileColumn }) {
  const list = facts(c)
  return (
    <div className={css.parts}>
      {c.histogram && (
        <figure>
          <Bars counts={c.histogram.counts} width={12} height={72} label={`Large histogram of ${c.name}`} />
          <figcaption>{`${c.min} to ${c.max}${c.histogram.estimated ? ', estimated' : ''}`}</figcaption>
        </figure>
      )}
      {c.quantiles && c.quantiles.length > 0 && (
        <table className={css.small}>
          <caption>{c.rank_error ? 'Quantiles, estimated' : 'Quantiles'}</caption>
          <tbody>
            {c.quantiles.map((q) => (
              <tr key={q.share}>
                <th scope="row">{`${q.share * 100} %`}</th>
                <td>{`${c.rank_error ? '≈ ' : ''}${q.shown}`}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {c.top && c.top.length > 0 && (
        <div>
          <p className={css.head}>Most frequent</p>
          <Top column={c} most={10} />
        </div>
      )}
      {c.text && <TextPart text={c.text} column={c} />}
      {list.length > 0 && (
        <table className={css.small}>
          <caption>Figures</caption>
          <tbody>
            {list.map(([name, text]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <bdi>{text}</bdi>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  )
}

