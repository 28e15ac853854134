import { describe, expect, it } from 'vitest'
import type { Component, Outline, OutlineNode } from '../api/types'
import { draw } from './boxes'
import { compare, findings, taskAt } from './diff'
import { diffLines, pieces } from './lines'

const node = (name: string, component: string, more: Partial<OutlineNode> = {}): OutlineNode => ({ name, display_name: name, component, cache: true, ...more })
const step = (image: string, code = 'def f():\n  pass', requirements: string[] = []): Component => ({
  kind: 'container',
  inputs: [],
  outputs: [],
  step: { image, code, requirements },
})
const dag = (...tasks: OutlineNode[]): Component => ({ kind: 'dag', inputs: [], outputs: [], tasks })
const outline = (root: Component, components: Record<string, Component>): Outline => ({ name: 'p', root, components })

const one = outline(dag(node('load', 'c-load'), node('train', 'c-train', { depends_on: ['load'] }), node('old', 'c-load'), node('each', 'c-each', { depends_on: ['load'] })), {
  'c-load': step('python:3.11'),
  'c-train': step('python:3.11', 'a\nb\nc', ['six==1.0']),
  'c-each': dag(node('inner', 'c-inner')),
  'c-inner': step('python:3.11'),
})
const two = outline(dag(node('load', 'c-load'), node('train', 'c-train', { depends_on: ['fresh'] }), node('fresh', 'c-load', { depends_on: ['load'] }), node('each', 'c-each', { depends_on: ['load'] })), {
  'c-load': step('python:3.11'),
  'c-train': step('python:3.12', 'a\nB\nc', ['six==1.0', 'numpy']),
  'c-each': dag(node('inner', 'c-inner')),
  'c-inner': step('python:3.11', 'def f():\n  return 1'),
})

describe('a comparison', () => {
  const both = compare(one, two)
  const marks = Object.fromEntries(both.level().nodes.map((n) => [n.name, n.mark]))

  it('marks tasks that came, went, changed or have changes inside', () => {
    expect(marks).toEqual({ load: 'same', train: 'changed', fresh: 'added', old: 'removed', each: 'changed' })
    expect(taskAt(both, 'each')?.changes).toEqual([])
    expect(taskAt(both, 'each')?.inside).toBe(true)
  })

  it('says what changed, line by line', () => {
    const changes = taskAt(both, 'train')?.changes ?? []
    expect(changes.map((c) => c.what)).toEqual(['waits for', 'image', 'requirements', 'code'])
    expect(changes.find((c) => c.what === 'requirements')?.lines).toEqual([
      { sign: ' ', text: 'six==1.0' },
      { sign: '+', text: 'numpy' },
    ])
  })

  it('marks arrows', () => {
    expect(both.level().edges.toSorted((a, b) => `${a.from}${a.to}`.localeCompare(`${b.from}${b.to}`))).toEqual([
      { from: 'fresh', to: 'train', mark: 'added' },
      { from: 'load', to: 'each', mark: 'same' },
      { from: 'load', to: 'fresh', mark: 'added' },
      { from: 'load', to: 'train', mark: 'removed' },
    ])
  })

  it('lists what differs with its path', () => {
    expect(findings(both).map((f) => [f.path, f.node.mark])).toEqual([
      ['train', 'changed'],
      ['fresh', 'added'],
      ['each/inner', 'changed'],
      ['old', 'removed'],
    ])
  })

  it('finds nothing between a version and itself', () => {
    const alone = compare(one, one)
    expect(findings(alone)).toEqual([])
    expect(alone.root).toEqual([])
    expect(alone.level().nodes.every((n) => n.mark === 'same')).toBe(true)
  })

  it('sees another default of an input of the pipeline', () => {
    const input = { name: 'lr', type: 'NUMBER_DOUBLE', required: false }
    const with1 = outline({ ...dag(), inputs: [{ ...input, default: 1 }] }, {})
    const with2 = outline({ ...dag(), inputs: [{ ...input, default: 2 }] }, {})
    expect(compare(with1, with2).root.map((c) => c.what)).toEqual(['inputs'])
  })

  it('is as long as its components, not as the tasks they would unfold to', () => {
    const deep = (last: string): Outline => {
      const components: Record<string, Component> = { leaf: step('i', last) }
      for (let i = 0; i < 60; i++) components[`d${i}`] = dag(node('a', i === 0 ? 'leaf' : `d${i - 1}`), node('b', i === 0 ? 'leaf' : `d${i - 1}`))
      return outline(dag(node('top', 'd59')), components)
    }
    const found = findings(compare(deep('x'), deep('y')))
    expect(found.length).toBeLessThan(200)
    expect(draw(compare(deep('x'), deep('x')), new Map()).graph.boxes.length).toBeLessThan(200)
  })
})

describe('drawing', () => {
  it('opens small groups, closes what was closed, and opens the way to what is selected', () => {
    const alone = compare(one, one)
    expect(draw(alone, new Map()).graph.boxes.map((b) => b.path)).toContain('each/inner')
    expect(draw(alone, new Map([['each', false]])).graph.boxes.map((b) => b.path)).not.toContain('each/inner')
  })
})

describe('lines', () => {
  it('keeps what is common in order', () => {
    const signs = diffLines(['a', 'b', 'c', 'd'], ['a', 'c', 'x', 'd']).map((l) => l.sign + l.text)
    expect(signs).toEqual([' a', '-b', ' c', '+x', ' d'])
  })

  it('replaces the middle of texts that are too long to compare', () => {
    const a = Array.from({ length: 2000 }, (_, i) => `a${i}`)
    const b = Array.from({ length: 2000 }, (_, i) => `b${i}`)
    expect(diffLines(a, b).length).toBe(4000)
  })

  it('leaves out what is far from a difference', () => {
    const lines = diffLines([...'abcdefghij'], [...'abcdefghiX'])
    expect(pieces(lines, 1)).toEqual([{ skipped: 8, lines: [{ sign: ' ', text: 'i' }, { sign: '-', text: 'j' }, { sign: '+', text: 'X' }] }])
  })
})
