/** The names of what is said of a column, for previews and for whole profiles. */
export function ProfileHead({ right }: { right: string | undefined }) {
  return (
    <thead>
      <tr>
        <th scope="col">Column</th>
        <th scope="col">Type</th>
        <th scope="col" className={right}>
          No value
        </th>
        <th scope="col" className={right}>
          Distinct
        </th>
        <th scope="col">Lowest</th>
        <th scope="col">Highest</th>
        <th scope="col" className={right}>
          Mean
        </th>
        <th scope="col">Spread</th>
        <th scope="col">Most frequent</th>
      </tr>
    </thead>
  )
}
