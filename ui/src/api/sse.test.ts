import { describe, expect, it } from 'vitest'
import { EventParser } from './sse'

describe('EventParser', () => {
  const text = ': still here\n\nevent: run\ndata: {"id":"é"}\n\nevent: end\r\ndata: {}\r\n\r\ndata: a\ndata:b\n\n'
  const want = [
    { event: 'run', data: '{"id":"é"}' },
    { event: 'end', data: '{}' },
    { event: 'message', data: 'a\nb' },
  ]

  it('reads events, joins data lines and skips comments', () => {
    expect(new EventParser().feed(text)).toEqual(want)
  })

  it('gives the same events wherever the chunks are cut', () => {
    for (let cut = 0; cut <= text.length; cut++) {
      const parser = new EventParser()
      expect([...parser.feed(text.slice(0, cut)), ...parser.feed(text.slice(cut))]).toEqual(want)
    }
  })

  it('holds back an event whose blank line has not come', () => {
    expect(new EventParser().feed('event: run\ndata: {}\n')).toEqual([])
  })
})
