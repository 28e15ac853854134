// What two versions of a pipeline have in common and what not. One version is compared with itself. Nothing here draws.
import type { Component, Outline, OutlineInput, OutlineNode } from '../api/types'
import { valueLine } from '../format/value'
import { diffLines, type Line } from './lines'

export type Mark = 'same' | 'added' | 'removed' | 'changed'

/** One thing that differs, with the lines that say how. */
export interface Change {
  what: string
  lines: Line[]
}

/** A task of either version, or of both: tasks of a dag are the same when they have the same name. */
export interface Merged {
  name: string
  mark: Mark
  before: OutlineNode | undefined
  after: OutlineNode | undefined
  /** What differs in the task itself. */
  changes: Change[]
  /** Whether something differs in what is inside. */
  inside: boolean
  group: boolean
}

export interface Edge {
  from: string
  to: string
  mark: Mark
}

/** The tasks of a dag and what they wait for. */
export interface Level {
  nodes: Merged[]
  edges: Edge[]
}

export interface Comparison {
  before: Outline
  after: Outline
  /** What differs in the pipeline as a whole. */
  root: Change[]
  /** The tasks inside a task, or those of the whole pipeline. */
  level: (around?: Merged) => Level
}

export function componentOf(outline: Outline, node: OutlineNode | undefined): Component | undefined {
  return node && outline.components[node.component]
}

export function compare(before: Outline, after: Outline): Comparison {
  const known = new Map<string, Level>()
  const open = new Set<string>()
  const levelOf = (b: Component | undefined, a: Component | undefined, key: string): Level => {
    const found = known.get(key)
    if (found) return found
    // The server refuses a dag that holds itself; here it would be empty.
    if (open.has(key)) return { nodes: [], edges: [] }
    open.add(key)
    const level = { nodes: mergeNodes(b?.tasks ?? [], a?.tasks ?? [], merge), edges: mergeEdges(b?.tasks ?? [], a?.tasks ?? []) }
    open.delete(key)
    known.set(key, level)
    return level
  }
  const inside = (b: OutlineNode | undefined, a: OutlineNode | undefined): Level =>
    levelOf(componentOf(before, b), componentOf(after, a), JSON.stringify([b?.component, a?.component]))
  const merge = (name: string, b: OutlineNode | undefined, a: OutlineNode | undefined): Merged => {
    const [cb, ca] = [componentOf(before, b), componentOf(after, a)]
    const group = (ca ?? cb)?.kind === 'dag'
    const changes = b && a ? [...nodeChanges(b, a), ...componentChanges(cb, ca)] : []
    const within = group && b !== undefined && a !== undefined && inside(b, a).nodes.some((n) => n.mark !== 'same')
    const mark = !b ? 'added' : !a ? 'removed' : changes.length > 0 || within ? 'changed' : 'same'
    return { name, mark, before: b, after: a, changes, inside: within, group }
  }
  const root = () => levelOf(before.root, after.root, 'root')
  return {
    before,
    after,
    root: [...listed('description', [before.description ?? ''], [after.description ?? '']), ...componentChanges(before.root, after.root)],
    level: (around) => (around ? inside(around.before, around.after) : root()),
  }
}

function mergeNodes(before: OutlineNode[], after: OutlineNode[], merge: (name: string, b?: OutlineNode, a?: OutlineNode) => Merged): Merged[] {
  const old = new Map(before.map((n) => [n.name, n]))
  const now = new Map(after.map((n) => [n.name, n]))
  return [...new Set([...now.keys(), ...old.keys()])].map((name) => merge(name, old.get(name), now.get(name)))
}

function mergeEdges(before: OutlineNode[], after: OutlineNode[]): Edge[] {
  const edges = new Map<string, Edge>()
  const add = (nodes: OutlineNode[], mark: Mark) => {
    for (const { name: to, depends_on = [] } of nodes) {
      for (const from of depends_on) {
        const key = JSON.stringify([from, to])
        edges.set(key, { from, to, mark: edges.has(key) ? 'same' : mark })
      }
    }
  }
  add(before, 'removed')
  add(after, 'added')
  return [...edges.values()]
}

function nodeChanges(b: OutlineNode, a: OutlineNode): Change[] {
  const each = (of: (n: OutlineNode) => string | undefined): [string[], string[]] => [texts(of(b)), texts(of(a))]
  return [
    ...listed('display name', ...each((n) => n.display_name)),
    ...listed('condition', ...each((n) => plain(n.condition ?? ''))),
    ...listed('loop', ...each(loopText)),
    ...listed('runs after a failure', ...each((n) => (n.always ? 'yes' : 'no'))),
    ...listed('caching', ...each((n) => (n.cache ? 'on' : 'off'))),
    ...listed('retries', ...each((n) => String(n.retries ?? 0))),
    ...listed('values of inputs', bindings(b), bindings(a)),
    ...listed('waits for', b.depends_on ?? [], a.depends_on ?? []),
  ]
}

/** "over words, 2 at once" */
export function loopText(node: OutlineNode): string | undefined {
  if (!node.loop) return undefined
  const { items, parallelism } = node.loop
  return `over ${plain(items)}${parallelism ? `, ${parallelism} at once` : ''}`
}

export function bindings(node: OutlineNode): string[] {
  return (node.inputs ?? []).map((i) => plain(`${i.name} = ${i.from}`))
}

/** Names without what the compiler puts before those that it makes. */
export function plain(text: string): string {
  return text.replaceAll('pipelinechannel--', '')
}

function componentChanges(b: Component | undefined, a: Component | undefined): Change[] {
  if (!b || !a) return []
  const [sb, sa] = [b.step, a.step]
  return [
    ...listed('kind', [b.kind], [a.kind]),
    ...listed('image', texts(sb?.image), texts(sa?.image)),
    ...listed('requirements', sb?.requirements ?? [], sa?.requirements ?? []),
    ...listed('code', split(sb?.code), split(sa?.code)),
    ...listed('command', sb?.command?.flatMap((w) => split(w)) ?? [], sa?.command?.flatMap((w) => split(w)) ?? []),
    ...listed('settings', sb?.settings?.map((s) => `${s.name}: ${s.value}`) ?? [], sa?.settings?.map((s) => `${s.name}: ${s.value}`) ?? []),
    ...listed('address', texts(b.uri), texts(a.uri)),
    ...listed('inputs', b.inputs.map(inputLine), a.inputs.map(inputLine)),
    ...listed('outputs', b.outputs.map((o) => `${o.name}: ${o.type}`), a.outputs.map((o) => `${o.name}: ${o.type}`)),
  ]
}

export function inputLine(input: OutlineInput): string {
  const standard = input.default === undefined ? '' : ` = ${valueLine(input.default)}`
  const literals = input.literals?.length ? `, one of ${valueLine(input.literals)}` : ''
  return `${plain(input.name)}: ${input.type}${standard}${literals}${input.required ? '' : ', may be left out'}`
}

function texts(text: string | undefined): string[] {
  return text === undefined || text === '' ? [] : [text]
}

function split(text: string | undefined): string[] {
  return text === undefined ? [] : text.trim().split('\n')
}

function listed(what: string, before: readonly string[], after: readonly string[]): Change[] {
  if (before.length === after.length && before.every((line, i) => line === after[i])) return []
  return [{ what, lines: diffLines(before, after) }]
}

export interface Found {
  path: string
  node: Merged
}

/**
 * The tasks that differ, each with its path. What is inside a task that is in one version only is not told: it goes with it. A dag that
 * is used in many places is told where it comes first.
 */
export function findings(comparison: Comparison): Found[] {
  const found: Found[] = []
  const seen = new Set<string>()
  const visit = (around: Merged | undefined, path: string) => {
    for (const node of comparison.level(around).nodes) {
      const at = path === '' ? node.name : `${path}/${node.name}`
      if (node.mark !== 'same' && (node.mark !== 'changed' || node.changes.length > 0)) found.push({ path: at, node })
      const key = JSON.stringify([node.before?.component, node.after?.component])
      if (node.inside && !seen.has(key)) {
        seen.add(key)
        visit(node, at)
      }
    }
  }
  visit(undefined, '')
  return found
}

/** The task at a path, if there is one. */
export function taskAt(comparison: Comparison, path: string): Merged | undefined {
  let at: Merged | undefined
  for (const name of path.split('/')) {
    at = comparison.level(at).nodes.find((n) => n.name === name)
    if (!at) return undefined
  }
  return at
}
