// What the reader opened and closed, as part of the address.
import { useCallback, useMemo } from 'react'
import { type Choices, reveal, type Tree } from '../graph/tree'
import { useAddress } from '../parts/address'

/** Reads "open", "close" and "iteration" of a query; an iteration is named by its path. */
export function choicesFrom(search: URLSearchParams): Choices {
  const open = new Map<string, boolean>()
  const iteration = new Map<string, string>()
  for (const path of search.getAll('open')) open.set(path, true)
  for (const path of search.getAll('close')) open.set(path, false)
  for (const path of search.getAll('iteration')) {
    const cut = path.lastIndexOf('/')
    if (cut > 0) iteration.set(path.slice(0, cut), path)
  }
  return { open, iteration }
}

/** The part of a query that choicesFrom reads. */
function choicesText(search: URLSearchParams): string {
  return new URLSearchParams([...search].filter(([key]) => key === 'open' || key === 'close' || key === 'iteration')).toString()
}

export function choicesQuery({ open, iteration }: Choices): Record<'open' | 'close' | 'iteration', string[]> {
  const paths = (wanted: boolean) => [...open].flatMap(([path, is]) => (is === wanted ? [path] : []))
  return { open: paths(true), close: paths(false), iteration: [...iteration.values()] }
}

/** The address's choices. The groups around a selected task are open as long as nobody closes them. */
export function useChoices(tree: Tree, selected: string | undefined): [Choices, (choices: Choices) => void] {
  const [address, change] = useAddress()
  // Moving the graph changes the address as well, and no choice: the same choices are not worked out again.
  const text = choicesText(address)
  const chosen = useMemo(() => choicesFrom(new URLSearchParams(text)), [text])
  const choices = useMemo(() => withSelected(tree, chosen, selected), [tree, chosen, selected])
  const choose = useCallback((wanted: Choices) => change(choicesQuery(wanted)), [change])
  return [choices, choose]
}

function withSelected(tree: Tree, choices: Choices, selected: string | undefined): Choices {
  if (selected === undefined) return choices
  const shown = reveal(tree, selected, choices)
  return shown === choices ? choices : { ...shown, open: new Map([...shown.open, ...choices.open]) }
}
