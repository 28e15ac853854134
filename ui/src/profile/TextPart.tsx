import type { ProfileColumn, TextProfile } from '../api/types'
import { count, number } from '../format/value'
import { figure, share } from './figures'
import css from './Profile.module.css'

const kinds: Record<string, string> = {
  email: 'email addresses',
  phone: 'phone numbers',
  credit_card: 'numbers of credit cards',
  iban: 'numbers of bank accounts (IBAN)',
  ip_address: 'IP addresses',
  us_ssn: 'US social security numbers',
}

/** What looks like personal data, by the columns that have it. No value is shown, only forms. */
export function Personal({ columns }: { columns: readonly ProfileColumn[] }) {
  const found = columns.flatMap((c, i) => (c.text?.personal ?? []).map((p) => ({ ...p, key: `${i} ${p.kind}`, column: c.name, of: c.count - c.nulls })))
  if (found.length === 0) return null
  return (
    <section aria-label="What looks like personal data">
      <p className={css.head}>What looks like personal data</p>
      <ul className={css.findings}>
        {found.slice(0, 50).map((p) => (
          <li key={p.key} data-personal={p.kind}>
            <bdi className={css.name}>{p.column}</bdi>
            <span>{`${kinds[p.kind] ?? p.kind} in ${share(p.rows, p.of)} of its values`}</span>
            <span className={css.soft}>
              such as <code>{p.example}</code>
            </span>
          </li>
        ))}
        {found.length > 50 && <li className={css.soft}>{`and ${found.length - 50} more`}</li>}
      </ul>
    </section>
  )
}

const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' })

function languageName(code: string): string {
  if (code === 'und') return 'not told'
  try {
    return names.of(code) ?? code
  } catch {
    return code // no code of a language
  }
}

/** What the texts of a column are like: languages, and which are the same or nearly. */
export function TextPart({ text, column: c }: { text: TextProfile; column: ProfileColumn }) {
  const languages = text.languages ?? []
  const near = text.near_duplicates
  return (
    <>
      {languages.length > 0 && (
        <table className={css.small}>
          <caption>{text.languages_sampled ? 'Languages, of a choice of the texts' : 'Languages'}</caption>
          <tbody>
            {languages.slice(0, 8).map((l) => (
              <tr key={l.language} data-language={l.language}>
                <th scope="row">{languageName(l.language)}</th>
                <td>{share(l.rows, languages.reduce((n, o) => n + o.rows, 0))}</td>
              </tr>
            ))}
            {languages.length > 8 && (
              <tr>
                <th scope="row">others</th>
                <td>{number(languages.slice(8).reduce((n, l) => n + l.rows, 0))}</td>
              </tr>
            )}
          </tbody>
        </table>
      )}
      {(text.duplicates > 0 || near) && (
        <table className={css.small}>
          <caption>The same texts</caption>
          <tbody>
            <tr>
              <th scope="row">There before</th>
              <td>{c.distinct_estimated ? `≈ ${figure(text.duplicates, true)}` : share(text.duplicates, c.count - c.nulls)}</td>
            </tr>
            {near && (
              <tr data-near={near.texts}>
                <th scope="row">Nearly the same as one before</th>
                <td>{`${number(near.texts)} of ${near.all ? '' : 'the first '}${count(near.of, 'long text')}`}</td>
              </tr>
            )}
          </tbody>
        </table>
      )}
      {near?.pairs && near.pairs.length > 0 && (
        <div>
          <p className={css.head}>Nearly the same</p>
          <ul className={css.findings}>
            {near.pairs.map((pair, i) => (
              // oxlint-disable-next-line react/no-array-index-key
              <li key={i} className={css.pair}>
                <bdi>{pair[0]}</bdi>
                <bdi>{pair[1]}</bdi>
              </li>
            ))}
          </ul>
        </div>
      )}
    </>
  )
}
