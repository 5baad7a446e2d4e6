import { describe, expect, it } from 'vitest'
import { given, named } from './arguments'

describe('what was left alone is not sent', () => {
  const rows: [name: string, schema: object, value: unknown, sent: unknown][] = [
    ['a field without a value', { properties: { a: {}, b: {} } }, { a: 'x', b: undefined }, { a: 'x' }],
    ['what was given stays, however little it is', { properties: { a: {}, b: {}, c: {}, d: {} } }, { a: '', b: 0, c: false, d: null }, { a: '', b: 0, c: false, d: null }],
    ['a group that nobody touched', { properties: { g: { type: 'object', properties: { x: {} } } } }, { g: { x: undefined } }, {}],
    ['a group that must be there', { required: ['g'], properties: { g: { type: 'object' } } }, { g: {} }, { g: {} }],
    ['a list that nobody filled', { properties: { l: { type: 'array' } } }, { l: [] }, {}],
    ['a list that must be there', { required: ['l'], properties: { l: { type: 'array' } } }, { l: [] }, { l: [] }],
    ['a group inside a group', { properties: { g: { properties: { h: { properties: { x: {} } } } } } }, { g: { h: {} } }, {}],
    ['what must be there by a reference', { $defs: { g: { required: ['h'], properties: { h: { type: 'object' } } } }, properties: { g: { $ref: '#/$defs/g' } } }, { g: { h: {} } }, { g: { h: {} } }],
    ['what must be there by an alternative', { anyOf: [{ required: ['g'] }, { required: ['x'] }] }, { g: {} }, { g: {} }],
    ['a blank in a list keeps the places of the others', { properties: { l: { items: { type: 'string' } } } }, { l: ['a', undefined, 'b'] }, { l: ['a', null, 'b'] }],
    ['a group in a list', { properties: { l: { items: { properties: { x: {}, y: {} } } } } }, { l: [{ x: 1, y: undefined }] }, { l: [{ x: 1 }] }],
    ['a schema that refers to itself', { $ref: '#', properties: { a: { $ref: '#' } } }, { a: { a: {} } }, {}],
  ]
  for (const [name, schema, value, sent] of rows) it(name, () => expect(given(schema as never, value)).toEqual(sent))
})

describe('alternatives can be told apart', () => {
  const titles = (schema: object) => ((named(schema as never)['anyOf'] ?? []) as { title?: string }[]).map((one) => one.title)
  it('by what they need', () => expect(titles({ anyOf: [{ required: ['a', 'b'] }, { required: ['c'] }] })).toEqual(['With a, b', 'With c']))
  it('by their kind', () => expect(titles({ anyOf: [{ type: 'string' }, { type: 'null' }] })).toEqual(['Text', 'Nothing (null)']))
  it('by the names they have', () => expect(titles({ anyOf: [{ title: 'A city', type: 'string' }] })).toEqual(['A city']))
  it('through a reference', () => expect(titles({ $defs: { p: { required: ['x'] } }, anyOf: [{ $ref: '#/$defs/p' }] })).toEqual(['With x']))
})
