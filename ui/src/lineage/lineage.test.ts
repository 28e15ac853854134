import { describe, expect, it } from 'vitest'
import type { LineageGraph, LineageNode } from '../api/types'
import { around } from '../graph/viewport'
import { isSource, matches, merge, nameOf, pageOf, sourcesOf } from './graph'
import { boxSize, place } from './layout'

const node = (id: string, kind: LineageNode['kind'], level: number, more: Partial<LineageNode> = {}): LineageNode => ({ id, kind, name: id, level, ...more })
const first: LineageGraph = {
  root: 'model',
  nodes: [node('data', 'artifact', -2, { type: 'system.Dataset', more_up: true }), node('fit', 'task', -1), node('model', 'model-version', 0, { aliases: ['champion'] })],
  edges: [
    { from: 'data', to: 'fit', label: 'data' },
    { from: 'fit', to: 'model' },
  ],
}
const further: LineageGraph = {
  root: 'data',
  nodes: [node('raw', 'artifact', -2, { imported: true, uri: 'https://example.org/a/raw.csv' }), node('clean', 'task', -1), node('data', 'artifact', 0)],
  edges: [
    { from: 'raw', to: 'clean' },
    { from: 'clean', to: 'data' },
  ],
}

describe('the lineage that is shown', () => {
  it('adds what was opened where it belongs, and asks for it no more', () => {
    const shown = merge(first, [further])
    expect(shown.nodes.map((n) => [n.id, n.level])).toEqual([
      ['raw', -4],
      ['clean', -3],
      ['data', -2],
      ['fit', -1],
      ['model', 0],
    ])
    expect(shown.nodes.find((n) => n.id === 'data')?.more_up).toBe(false)
    expect(shown.edges).toHaveLength(4)
  })

  it('names the data at its beginnings as the source, and no data that something here has made', () => {
    expect(sourcesOf(merge(first, []))).toEqual([])
    expect(sourcesOf(merge(first, [further])).map(nameOf)).toEqual(['raw.csv'])
    expect(isSource(node('d', 'dataset', -1), [])).toBe(true)
  })

  it('finds nodes by name, alias, kind and address', () => {
    const shown = merge(first, [further])
    const find = (text: string) => shown.nodes.filter((n) => matches(n, text)).map((n) => n.id)
    expect(find('@champ')).toEqual(['model'])
    expect(find('RAW.CSV')).toEqual(['raw'])
    expect(find('task')).toEqual(['clean', 'fit'])
  })

  it('leads to the page of a node, whatever its name', () => {
    expect(pageOf(node('endpoint:fares', 'endpoint', 1, { name: 'fares' }))).toBe('/endpoints/fares')
    expect(pageOf(node('model:a b/1', 'model-version', 0, { model: 'a b?', version: '1' }))).toBe('/models/a%20b%3F?version=1')
    expect(pageOf(node('dataset:x@1', 'dataset', 0))).toBe('/lineage?node=dataset%3Ax%401')
  })

  it('goes from left to right, and shows no room beyond the edge of a graph that is larger than the frame', () => {
    const { nodes, edges } = merge(first, [further])
    const placed = place(nodes, edges)
    const xs = nodes.map((n) => placed.places.get(n.id)?.x ?? 0)
    expect(xs).toEqual(xs.toSorted((a, b) => a - b))
    const frame = { width: 600, height: 300 }
    const view = around(placed, frame, 1, { x: placed.width - boxSize.width, y: 0, ...boxSize })
    expect(view.x + placed.width).toBe(frame.width - 20)
  })
})
