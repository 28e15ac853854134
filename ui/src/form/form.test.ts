import { describe, expect, it } from 'vitest'
import type { OutlineInput } from '../api/types'
import { fill, initialEdit, kindOf, readText, textOf } from './fields'
import { momentIn } from '../format/zone'
import { firstSchedule, readAtOnce, readDeadline, readTrigger } from './schedule'

const input = (type: string, more: Partial<OutlineInput> = {}): OutlineInput => ({ name: 'x', type, required: false, ...more })

describe('a field', () => {
  it('is a choice where the values are listed, whatever their type', () => {
    expect(['NUMBER_DOUBLE', 'NUMBER_INTEGER', 'BOOLEAN', 'STRING', 'LIST', 'STRUCT'].map((t) => kindOf(input(t)))).toEqual([
      'number',
      'integer',
      'boolean',
      'text',
      'json',
      'json',
    ])
    expect(kindOf(input('NUMBER_INTEGER', { literals: [2, 4] }))).toBe('choice')
  })

  it('begins with the value of the run that is repeated, else with the default', () => {
    expect(initialEdit(input('NUMBER_DOUBLE', { default: 0.5 }), { x: 2 })).toEqual({ text: '2' })
    expect(initialEdit(input('NUMBER_DOUBLE', { default: 0.5 }), {})).toEqual({ text: '0.5' })
    expect(initialEdit(input('STRING', { default: '' }), undefined)).toEqual({ text: '' })
    expect(initialEdit(input('STRING'), undefined)).toBe('left out')
    expect(initialEdit(input('STRUCT', { default: { a: [1] } }), undefined)).toEqual({ text: '{\n  "a": [\n    1\n  ]\n}' })
  })

  it.each([
    ['NUMBER_DOUBLE', '1e-3', 0.001],
    ['NUMBER_DOUBLE', ' .5 ', 0.5],
    ['NUMBER_INTEGER', '-12', -12],
    ['NUMBER_INTEGER', '2.0', 2],
    ['STRING', ' kept as it is ', ' kept as it is '],
    ['STRING', '12', '12'],
    ['BOOLEAN', 'true', true],
    ['LIST', '[1, "a"]', [1, 'a']],
    ['STRUCT', '{"a": null}', { a: null }],
  ])('of type %s reads %s', (type, text, value) => expect(readText(text, input(type))).toEqual({ value }))

  it.each([
    ['NUMBER_DOUBLE', 'NaN', /not a number/],
    ['NUMBER_DOUBLE', '0x10', /not a number/],
    ['NUMBER_DOUBLE', '1e999', /too large/],
    ['NUMBER_DOUBLE', '', /needed/],
    ['NUMBER_INTEGER', '1.5', /whole number/],
    ['NUMBER_INTEGER', '9007199254740993', /not exact/],
    ['LIST', '{"a": 1}', /list is needed/],
    ['STRUCT', '[1]', /struct is needed/],
    ['STRUCT', 'null', /struct is needed/],
    ['LIST', '', /JSON is needed/],
    ['LIST', '[1,\n2,,]', /line 2, column 3|not JSON/],
  ])('of type %s refuses %s', (type, text, error) => expect(readText(text, input(type))).toEqual({ error: expect.stringMatching(error) }))

  it('keeps the type of a choice', () => {
    const choice = input('NUMBER_INTEGER', { literals: [2, 4] })
    expect(readText(textOf(4, 'choice'), choice)).toEqual({ value: 4 })
    expect(readText(textOf('4', 'choice'), input('STRING', { literals: ['4'] }))).toEqual({ value: '4' })
  })
})

describe('fill', () => {
  const inputs = [
    input('STRING', { name: 'what', required: true }),
    input('NUMBER_DOUBLE', { name: 'lr', default: 0.1 }),
    input('STRING', { name: 'note' }),
  ]

  it('sends what was changed and leaves defaults to the pipeline', () => {
    expect(fill(inputs, { what: { text: 'x' }, lr: { text: '0.10' } })).toEqual({ parameters: { what: 'x' }, errors: {} })
    expect(fill(inputs, { what: { text: '' }, lr: { text: '0.2' }, note: 'left out' })).toEqual({ parameters: { what: '', lr: 0.2 }, errors: {} })
  })

  it('says each thing that is wrong', () => {
    const { errors } = fill(inputs, { lr: { text: 'fast' } })
    expect(Object.keys(errors)).toEqual(['what', 'lr'])
  })

  it('takes what a repeated run was given', () => {
    expect(fill(inputs, {}, { what: 'y', lr: 0.3, note: 'n' })).toEqual({ parameters: { what: 'y', lr: 0.3, note: 'n' }, errors: {} })
    expect(fill(inputs, { note: 'left out' }, { what: 'y', lr: 0.1, note: 'n' })).toEqual({ parameters: { what: 'y' }, errors: {} })
  })
})

describe('a schedule', () => {
  it('is a cron expression or an interval', () => {
    expect(readTrigger({ ...firstSchedule, cron: ' @hourly ' })).toEqual({ trigger: { cron: '@hourly' } })
    expect(readTrigger({ ...firstSchedule, by: 'interval', every: '90', unit: 'minutes' })).toEqual({ trigger: { interval_seconds: 5400 } })
    expect(readTrigger({ ...firstSchedule, cron: ' ' })).toHaveProperty('error')
    expect(['0', '-1', '1.5', 'x', ''].map((every) => 'error' in readTrigger({ ...firstSchedule, by: 'interval', every }))).toEqual([true, true, true, true, true])
  })

  it('is meant in a time zone, from a start to an end', () => {
    const lisbon = { ...firstSchedule, zone: 'Europe/Lisbon' }
    expect(readTrigger({ ...lisbon, start: '2026-07-01T06:00', end: '2026-12-01T06:00' })).toEqual({
      trigger: { cron: '0 0 6 * * *', time_zone: 'Europe/Lisbon', start: '2026-07-01T05:00:00Z', end: '2026-12-01T06:00:00Z' },
    })
    expect(readTrigger({ ...lisbon, by: 'once', at: '2026-07-01T06:00', start: 'x' })).toEqual({ trigger: { at: '2026-07-01T05:00:00Z', time_zone: 'Europe/Lisbon' } })
    for (const wrong of [{ by: 'once' as const }, { zone: 'Mars/Olympus' }, { start: '2026' }, { start: '2026-07-02T00:00', end: '2026-07-01T00:00' }])
      expect(readTrigger({ ...lisbon, ...wrong })).toHaveProperty('error')
  })

  it.each([
    ['2026-03-29T00:30', 'Europe/Lisbon', '2026-03-29T00:30:00Z'],
    ['2026-03-29T01:30', 'Europe/Lisbon', '2026-03-29T01:00:00Z'],
    ['2026-10-25T01:30', 'Europe/Lisbon', '2026-10-25T00:30:00Z'],
    ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00Z'],
    ['2026-01-01T12:00', 'Asia/Kolkata', '2026-01-01T06:30:00Z'],
  ])('reads %s in %s as the server does', (text, zone, want) => expect(momentIn(text, zone)).toBe(want))

  it('has a deadline for starting, or none', () => {
    expect([['', 'minutes'], ['30', 'minutes'], ['0', 'hours'], ['x', 'hours'], ['400', 'days']].map(([deadline, deadlineUnit]) => readDeadline({ ...firstSchedule, deadline, deadlineUnit } as typeof firstSchedule))).toEqual([0, 1800, undefined, undefined, undefined])
  })

  it('lets 1 to 10 runs be active', () => {
    expect(['1', '10', '0', '11', 'x'].map(readAtOnce)).toEqual([1, 10, undefined, undefined, undefined])
  })
})
