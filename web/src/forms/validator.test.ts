import { describe, expect, it } from 'vitest'
import { errorSchemaOf, faultsOf, lineOf, validator } from './validator'

const lines = (schema: unknown, value: unknown) => faultsOf(schema, value).map(lineOf)

describe('what is wrong is said where it is, in words', () => {
  const rows: [name: string, schema: unknown, value: unknown, said: string[]][] = [
    ['nothing wrong says nothing', { type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, { a: 'x' }, []],
    ['a missing field is named', { type: 'object', required: ['a'], properties: { a: { type: 'string' } } }, {}, ['a is needed']],
    ['a missing field deep inside is named', { properties: { a: { properties: { b: { required: ['c'] } } } } }, { a: { b: {} } }, ['a.b.c is needed']],
    ['a wrong kind', { properties: { n: { type: 'integer' } } }, { n: 'x' }, ['n must be a whole number']],
    ['one of several kinds', { properties: { n: { type: ['string', 'null'] } } }, { n: 3 }, ['n must be a text or null']],
    ['an enumeration', { properties: { c: { enum: ['red', 'blue'] } } }, { c: 'green' }, ['c must be one of "red", "blue"']],
    ['a number over its limit', { properties: { n: { type: 'number', maximum: 5 } } }, { n: 6 }, ['n must be 5 or less']],
    ['an item of a list in a list', { properties: { m: { items: { items: { type: 'number' } } } } }, { m: [[1], [2, 'x']] }, ['m[2][2] must be a number']],
    ['a name that is not known', { properties: { a: true }, additionalProperties: false }, { b: 1 }, ['has no field b']],
    ['a reference into the whole', { $defs: { city: { type: 'string', minLength: 3 } }, properties: { to: { $ref: '#/$defs/city' } } }, { to: 'A' }, ['to must have at least 3 characters']],
    ['the nearest of alternatives', { anyOf: [{ required: ['a', 'b'] }, { required: ['c'] }] }, {}, ['c is needed']],
    ['an alternative of another kind is not nearest', { properties: { v: { anyOf: [{ type: 'null' }, { type: 'object', required: ['x', 'y'] }] } } }, { v: { x: 1 } }, ['v.y is needed']],
    ['more than one of which one is allowed', { oneOf: [{ required: ['a'] }, { required: ['b'] }] }, { a: 1, b: 2 }, ['is several of what is allowed, and must be one']],
    ['the keywords of 2020-12', { properties: { p: { prefixItems: [{ type: 'string' }, { type: 'number' }], items: false } } }, { p: ['a', 'b'] }, ['p[2] must be a number']],
  ]
  for (const [name, schema, value, said] of rows) {
    it(name, () => {
      expect(lines(schema, value)).toEqual(said)
    })
  }
  it('a name with a slash keeps it', () => {
    expect(faultsOf({ properties: { 'a/b': { type: 'string' } } }, { 'a/b': 1 })[0]?.path).toEqual(['a/b'])
  })
})

describe('the form library gets what it asks for', () => {
  it('a part of a schema leads into the whole', () => {
    const root = { $defs: { n: { type: 'number' } }, anyOf: [{ properties: { a: { $ref: '#/$defs/n' } }, required: ['a'] }] }
    expect(validator.isValid(root.anyOf[0] as never, { a: 1 }, root as never)).toBe(true)
    expect(validator.isValid(root.anyOf[0] as never, { a: 'x' }, root as never)).toBe(false)
  })
  it('a schema that cannot be read makes nothing valid', () => {
    const broken = { $ref: '#/$defs/none' }
    expect(validator.isValid(broken as never, {}, broken as never)).toBe(false)
  })
  it('faults stand at their fields', () => {
    expect(errorSchemaOf([{ path: ['a', 0], keyword: 'type', message: 'must be a text' }])).toEqual({ a: { 0: { __errors: ['must be a text'] } } })
  })
  it('the schema that is given is not written into', () => {
    const schema = Object.freeze({ type: 'object', properties: Object.freeze({ a: Object.freeze({ type: 'string' }) }) })
    expect(faultsOf(schema, { a: 1 })).toHaveLength(1)
  })
  it('no code is made from text', () => {
    const guarded = globalThis.Function
    globalThis.Function = class {
      constructor() {
        throw new Error('eval')
      }
    } as never
    try {
      expect(faultsOf({ type: 'object', properties: { e: { type: 'string', format: 'email' } } }, { e: 'nobody' })).toHaveLength(1)
    } finally {
      globalThis.Function = guarded
    }
  })
})
