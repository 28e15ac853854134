import { describe, expect, it } from 'vitest'
import type { Kind, State, Task } from '../api/types'
import { betterDirection, layoutGraph } from './layout'
import { buildGraph, sameShape } from './model'
import { ancestors, buildTree, groupCounts, isOpen, noChoices, reveal, treeRows } from './tree'

function task(path: string, kind: Kind = 'container', more: Partial<Task> = {}): Task {
  const cut = path.lastIndexOf('/')
  return {
    id: `id-${path}`,
    run_id: 'r',
    path,
    ...(cut > 0 ? { parent: path.slice(0, cut) } : {}),
    name: path.slice(cut + 1),
    display_name: path.slice(cut + 1),
    kind,
    state: 'PENDING' as State,
    component: 'c',
    attempts: 0,
    inputs: {},
    outputs: {},
    created_at: '2026-01-01T00:00:00Z',
    ...more,
  }
}

const treeOf = (...tasks: Task[]) => buildTree(new Map(tasks.map((t) => [t.path, t])))

const example = () =>
  treeOf(
    task('load', 'container', { state: 'SUCCEEDED', cached: true }),
    task('prepare', 'dag', { depends_on: ['load'] }),
    task('prepare/split', 'container', { state: 'SUCCEEDED' }),
    task('prepare/scale', 'container', { depends_on: ['prepare/split'] }),
    task('train', 'loop', { depends_on: ['prepare'] }),
    task('train/1', 'iteration', { iteration: 1, state: 'FAILED' }),
    task('train/1/fit', 'container', { state: 'FAILED' }),
    task('train/0', 'iteration', { iteration: 0, state: 'RUNNING' }),
    task('train/0/fit', 'container', { state: 'RUNNING' }),
  )

describe('buildTree', () => {
  it('counts the leaves of every group and of the run', () => {
    const tree = example()
    expect(tree.leaves.get('')?.total).toBe(5)
    expect(tree.leaves.get('')?.cached).toBe(1)
    expect(Object.fromEntries(tree.leaves.get('train')?.byState ?? [])).toEqual({ FAILED: 1, RUNNING: 1 })
  })

  it('sorts iterations by index and counts them for their loop', () => {
    const tree = example()
    expect(tree.children.get('train')?.map((t) => t.path)).toEqual(['train/0', 'train/1'])
    const loop = tree.byPath.get('train')
    expect(loop && groupCounts(tree, loop).total).toBe(2)
  })

  it('counts 10,000 tasks in nested groups', () => {
    const tasks = [task('l', 'loop')]
    for (let i = 0; i < 5000; i++) tasks.push(task(`l/${i}`, 'iteration', { iteration: i }), task(`l/${i}/a`))
    expect(treeOf(...tasks).leaves.get('l')?.total).toBe(5000)
  })

  it('names the groups around a task, outermost first', () => {
    expect(ancestors(example(), 'train/1/fit').map((t) => t.path)).toEqual(['train', 'train/1'])
  })
})

describe('buildGraph', () => {
  it('opens small DAGs and keeps loops closed until they are opened', () => {
    const graph = buildGraph(example(), noChoices)
    expect(graph.boxes.map((b) => b.path)).toEqual(['load', 'prepare', 'prepare/split', 'prepare/scale', 'train'])
    expect(graph.arrows).toEqual([
      { from: 'load', to: 'prepare' },
      { from: 'prepare/split', to: 'prepare/scale' },
      { from: 'prepare', to: 'train' },
    ])
  })

  it('shows one iteration of an open loop: the chosen one, else the first that failed', () => {
    const tree = example()
    const open = { open: new Map([['train', true]]), iteration: new Map<string, string>() }
    expect(buildGraph(tree, open).boxes.at(-1)).toMatchObject({ path: 'train/1/fit', parent: 'train' })
    const chosen = { ...open, iteration: new Map([['train', 'train/0']]) }
    expect(buildGraph(tree, chosen).boxes.at(-1)?.path).toBe('train/0/fit')
  })

  it('leaves out dependencies on tasks that are not there', () => {
    expect(buildGraph(treeOf(task('a', 'container', { depends_on: ['gone'] })), noChoices).arrows).toEqual([])
  })

  it('has the same shape when only states changed', () => {
    const before = treeOf(task('a'), task('b', 'container', { depends_on: ['a'] }))
    const after = treeOf(task('a', 'container', { state: 'FAILED' }), task('b', 'container', { depends_on: ['a'] }))
    expect(sameShape(buildGraph(before, noChoices), buildGraph(after, noChoices))).toBe(true)
    expect(sameShape(buildGraph(treeOf(task('a')), noChoices), buildGraph(before, noChoices))).toBe(false)
  })
})

describe('reveal', () => {
  it('opens every group around a task and chooses its iteration', () => {
    const tree = example()
    const choices = reveal(tree, 'train/0/fit', noChoices)
    expect(buildGraph(tree, choices).boxes.some((b) => b.path === 'train/0/fit')).toBe(true)
  })

  it('changes nothing for a task at the top level', () => {
    expect(reveal(example(), 'load', noChoices)).toBe(noChoices)
  })

  it('lets the reader close a group that would be open', () => {
    const tree = example()
    const prepare = tree.byPath.get('prepare')
    expect(prepare && isOpen(tree, prepare, { ...noChoices, open: new Map([['prepare', false]]) })).toBe(false)
  })
})

describe('treeRows', () => {
  it('lists what is inside open groups, deeper', () => {
    const rows = treeRows(example(), { open: new Map([['train', true]]), iteration: new Map() })
    expect(rows.map((r) => `${r.depth} ${r.task.path}`)).toEqual([
      '0 load', '0 prepare', '1 prepare/split', '1 prepare/scale', '0 train', '1 train/0', '1 train/1',
    ])
  })
})

describe('layoutGraph', () => {
  it('places every box inside the box around it, without overlap of neighbours', () => {
    const graph = buildGraph(example(), reveal(example(), 'train/0/fit', noChoices))
    for (const direction of ['LR', 'TB'] as const) {
      const { places } = layoutGraph(graph, direction)
      for (const box of graph.boxes) {
        const place = places.get(box.path)
        const around = box.parent === undefined ? undefined : places.get(box.parent)
        if (!place) throw new Error(`${box.path} has no place`)
        if (around) {
          expect(place.x + place.width).toBeLessThanOrEqual(around.width)
          expect(place.y + place.height).toBeLessThanOrEqual(around.height)
        }
        for (const other of graph.boxes.filter((o) => o !== box && o.parent === box.parent)) {
          const p = places.get(other.path)
          if (!p) continue
          const apart = p.x >= place.x + place.width || place.x >= p.x + p.width || p.y >= place.y + place.height || place.y >= p.y + p.height
          expect(apart, `${box.path} and ${other.path}`).toBe(true)
        }
      }
    }
  })

  it('lays a chain along the longer side of the frame', () => {
    const chain = buildGraph(
      treeOf(...['a', 'b', 'c', 'd'].map((p, i, all) => task(p, 'container', { depends_on: all.slice(Math.max(0, i - 1), i) }))),
      noChoices,
    )
    expect(betterDirection(chain, { width: 1200, height: 300 })).toBe('LR')
    expect(betterDirection(chain, { width: 340, height: 700 })).toBe('TB')
  })
})
