// The lineage graph as it is shown: what several answers of the server tell, in one, and what each node is called and leads to.
import type { LineageEdge, LineageGraph, LineageNode } from '../api/types'
import type { IconName } from '../parts/icons'

export interface Shown {
  root: string
  /** From what came first to what came last. */
  nodes: readonly LineageNode[]
  edges: readonly LineageEdge[]
  truncated: boolean
}

/** Puts answers together. A node that lies within keeps its level; what a later answer adds stands where its neighbours are. */
export function merge(first: LineageGraph, more: readonly LineageGraph[]): Shown {
  const nodes = new Map(first.nodes.map((n) => [n.id, n]))
  const edges = new Map(first.edges.map((e) => [`${e.from} ${e.to}`, e]))
  for (const graph of more) {
    const base = nodes.get(graph.root)?.level ?? 0
    const upwards = graph.nodes.every((n) => n.level <= 0)
    for (const node of graph.nodes) {
      const known = nodes.get(node.id)
      if (!known) nodes.set(node.id, { ...node, level: base + node.level })
      // Further on there is only what this answer says: it was asked because there was more.
      else if (node.id === graph.root) nodes.set(node.id, upwards ? withMore(known, { up: node.more_up }) : withMore(known, { down: node.more_down }))
      else nodes.set(node.id, known)
    }
    for (const edge of graph.edges) edges.set(`${edge.from} ${edge.to}`, edge)
  }
  return {
    root: first.root,
    nodes: [...nodes.values()].toSorted((a, b) => a.level - b.level || a.name.localeCompare(b.name)),
    edges: [...edges.values()].filter((e) => nodes.has(e.from) && nodes.has(e.to)),
    truncated: first.truncated ?? false,
  }
}

function withMore(node: LineageNode, more: { up?: boolean | undefined; down?: boolean | undefined }): LineageNode {
  const next = { ...node }
  if ('up' in more) next.more_up = more.up ?? false
  if ('down' in more) next.more_down = more.down ?? false
  return next
}

export const kindWords: Record<LineageNode['kind'], string> = {
  artifact: 'Artifact',
  task: 'Task',
  run: 'Tracked run',
  dataset: 'Dataset',
  'logged-model': 'Logged model',
  'model-version': 'Model version',
  endpoint: 'Endpoint',
}

export const kindIcons: Record<LineageNode['kind'], IconName> = {
  artifact: 'file',
  task: 'step',
  run: 'step',
  dataset: 'data',
  'logged-model': 'model',
  'model-version': 'model',
  endpoint: 'endpoint',
}

/** The page of a node; nodes without one lead to their own lineage. */
export function pageOf(node: LineageNode): string {
  switch (node.kind) {
    case 'artifact':
      return `/artifacts/${encodeURIComponent(node.artifact_id ?? '')}`
    case 'task':
      return `/runs/${encodeURIComponent(node.run_id ?? '')}/tasks/${encodeURIComponent(node.task_id ?? '')}`
    case 'run':
      return `/tracked-runs/${encodeURIComponent(node.run_id ?? node.id.slice('run:'.length))}`
    case 'model-version':
      return `/models/${encodeURIComponent(node.model ?? '')}?version=${encodeURIComponent(node.version ?? '')}`
    case 'endpoint':
      return `/endpoints/${encodeURIComponent(node.name)}`
    default:
      return lineageOf(node.id)
  }
}

export const lineageOf = (node: string) => `/lineage?node=${encodeURIComponent(node)}`

/** An artifact that an importer named is called by the end of its address: its own name says nothing. */
export function nameOf(node: LineageNode): string {
  if (node.imported && node.uri) return node.uri.split('/').findLast((part) => part !== '') ?? node.name
  return node.name
}

/** What a node is, beside its name. */
export function detailOf(node: LineageNode): string {
  const words = [kindWords[node.kind]]
  if (node.kind === 'artifact') words.push(node.imported ? 'imported' : (node.type ?? '').replace(/^system\./, ''))
  if (node.kind === 'dataset' && node.context) words.push(node.context)
  if (node.kind === 'model-version' && node.type && node.type !== 'None') words.push(node.type)
  if (node.kind === 'task' && node.run_name) words.push(node.run_name)
  if (node.reused) words.push(`reused ${node.reused}×`)
  if (node.deleted) words.push('deleted')
  return words.filter(Boolean).join(' · ')
}

/** Says whether a node is data that came from outside: nothing here made it. */
export function isSource(node: LineageNode, edges: readonly LineageEdge[]): boolean {
  if (node.kind === 'dataset' || node.imported) return true
  return node.kind === 'artifact' && node.type === 'system.Dataset' && !node.more_up && !edges.some((e) => e.to === node.id)
}

/** The data that the root was made from, at its beginnings. */
export function sourcesOf({ nodes, edges }: Shown): LineageNode[] {
  return nodes.filter((n) => n.level < 0 && isSource(n, edges))
}

export function matches(node: LineageNode, find: string): boolean {
  const words = [nameOf(node), node.name, detailOf(node), node.run_name, node.digest, node.uri, node.id, ...(node.aliases ?? []).map((a) => `@${a}`)]
  return words.some((w) => w?.toLowerCase().includes(find.toLowerCase()))
}
