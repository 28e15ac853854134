import { type GroupBy, type RunFilter, useRunGroups } from '../api/runs'
import { type RunGroup, type State as StateName, states } from '../api/types'
import { Link } from '../parts/Link'
import { Loading, Notice } from '../parts/Notice'
import { State, StateBar, stateWord } from '../parts/State'
import css from './GroupTable.module.css'

interface Props {
  filter: RunFilter
  by: GroupBy
  experiments: ReadonlyMap<string, string> | undefined
  /** The address of the list of a group's runs. */
  hrefOf: (key: string) => string
  empty: React.ReactNode
}

const heads: Record<GroupBy, string> = { state: 'State', experiment: 'Experiment', pipeline: 'Pipeline' }

/** How many runs there are of each state, experiment or pipeline. The name of a group leads to its runs. */
export function GroupTable({ filter, by, experiments, hrefOf, empty }: Props) {
  const answer = useRunGroups(filter, by)
  if (answer.error) {
    return (
      <Notice tone="danger" title="The runs could not be grouped">
        {answer.error.message}
      </Notice>
    )
  }
  if (!answer.data) return <Loading what="groups" />
  const { groups, whole } = answer.data
  if (groups.length === 0) return empty
  return (
    <>
      {!whole && <Notice tone="neutral">Only the newest 100,000 runs that match were counted.</Notice>}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={css.scroller} tabIndex={0} role="region" aria-label="Groups of runs">
        <table className={css.table}>
          <caption className="visually-hidden">Runs by {heads[by].toLowerCase()}, the largest group first</caption>
          <thead>
            <tr>
              <th scope="col">{heads[by]}</th>
              <th scope="col" className={css.right}>
                Runs
              </th>
              {by !== 'state' && <th scope="col">States</th>}
            </tr>
          </thead>
          <tbody>
            {groups.map((group) => (
              <tr key={group.key} data-group={group.key}>
                <th scope="row">
                  <Link href={hrefOf(group.key)}>{by === 'state' ? <State state={group.key as StateName} /> : nameOf(group, by, experiments)}</Link>
                </th>
                <td className={css.right}>{group.total.toLocaleString('en-GB')}</td>
                {by !== 'state' && (
                  <td>
                    <States group={group} />
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

function nameOf(group: RunGroup, by: GroupBy, experiments: ReadonlyMap<string, string> | undefined): string {
  return (by === 'experiment' ? experiments?.get(group.key) : group.key) ?? group.key
}

function States({ group }: { group: RunGroup }) {
  const byState = new Map(states.map((s) => [s, group.states[s] ?? 0]))
  const some = states.filter((s) => (byState.get(s) ?? 0) > 0)
  return (
    <span className={css.states}>
      <StateBar counts={{ total: group.total, cached: 0, byState }} />
      <span>{some.map((s) => `${(byState.get(s) ?? 0).toLocaleString('en-GB')} ${stateWord(s).toLowerCase()}`).join(', ')}</span>
    </span>
  )
}
