import { describe, expect, it } from 'vitest'
import type { Call } from '../api/wire'
import { after } from './calls'
import { elapsed, span } from './time'

const call: Call = { id: '1', tool: 't', state: 'running', begun: '2026-01-01T00:00:00Z', arguments: { a: 1 } }

describe('what events make of a call', () => {
  it('progress moves it', () => expect(after(call, { type: 'progress', progress: { progress: 3, total: 4 } })?.progress?.progress).toBe(3))
  it('a state keeps the arguments, which events do not carry', () => expect(after(call, { type: 'state', call: { id: '1', tool: 't', begun: call.begun, state: 'completed' } })).toMatchObject({ state: 'completed', arguments: { a: 1 } }))
  it('progress that comes late does not wake what has ended', () => expect(after({ ...call, state: 'completed' }, { type: 'progress', progress: { progress: 1 } })?.state).toBe('completed'))
  it('what ended shows no progress', () => expect(after({ ...call, progress: { progress: 1, total: 2 } }, { type: 'state', call: { ...call, state: 'cancelled' } })?.progress).toBeUndefined())
  it('progress of a call that is not known is let be', () => expect(after(undefined, { type: 'progress', progress: { progress: 1 } })).toBeUndefined())
})

describe('how long', () => {
  it('a clock that is behind shows nothing less than nothing', () => expect(elapsed(call, Date.parse(call.begun) - 5000)).toBe('0.0 s'))
  it('an end stops it', () => expect(elapsed({ ...call, ended: '2026-01-01T00:00:05Z' }, Date.now())).toBe('5.0 s'))
  it('in words that fit', () => expect([9_900, 61_000, 3_660_000, 90_000_000].map(span)).toEqual(['9.9 s', '1 min 1 s', '1 h 1 min', '1 d 1 h']))
})
