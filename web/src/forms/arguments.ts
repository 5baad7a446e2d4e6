// What is sent of what stands in a form: what was given, and nothing that was left alone.
import type { Schema } from '../api/wire'

type Value = unknown

/** The form's value without what nobody filled in: a field without a value, and a group or a list without any, unless it
 * must be there. A blank in a list is null, so that the others keep their places. */
export function given(schema: Schema, value: Value): Value {
  return prune(schema, schema, value)
}

function prune(schema: Value, root: Schema, value: Value): Value {
  const parts = partsOf(schema, root)
  if (Array.isArray(value)) return value.map((item) => prune(itemsOf(parts), root, item === undefined ? null : item))
  if (typeof value !== 'object' || value === null) return value
  const out: Record<string, Value> = {}
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue
    const kept = prune(memberOf(parts, name), root, member)
    if (isEmpty(kept) && !parts.some((part) => asStrings(part['required']).includes(name))) continue
    out[name] = kept
  }
  return out
}

const isEmpty = (value: Value): boolean =>
  typeof value === 'object' && value !== null && (Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0)

/** A schema and all that it is made of. */
function partsOf(schema: Value, root: Schema, depth = 0): Schema[] {
  if (typeof schema !== 'object' || schema === null || depth > 16) return []
  const part = schema as Schema
  const inner = [resolve(part['$ref'], root), ...asList(part['allOf']), ...asList(part['anyOf']), ...asList(part['oneOf']), part['then'], part['else']]
  return [part, ...inner.flatMap((one) => partsOf(one, root, depth + 1))]
}

function memberOf(parts: Schema[], name: string): Value {
  return joined(parts.map((part) => (part['properties'] as Schema | undefined)?.[name] ?? part['additionalProperties']))
}

const itemsOf = (parts: Schema[]): Value => joined(parts.map((part) => part['items']))

const joined = (schemas: Value[]): Value => {
  const found = schemas.filter((schema) => typeof schema === 'object' && schema !== null)
  return found.length > 1 ? { allOf: found } : found[0]
}

function resolve(ref: Value, root: Schema): Value {
  if (typeof ref !== 'string' || !ref.startsWith('#')) return undefined
  return ref
    .slice(1)
    .split('/')
    .slice(1)
    .reduce<Value>((at, step) => (at as Schema | undefined)?.[decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')], root)
}

const asList = (value: Value): Value[] => (Array.isArray(value) ? value : [])
const asStrings = (value: Value): string[] => asList(value).filter((one): one is string => typeof one === 'string')

/** The schema with a name for each alternative, so that a person can choose between them. */
export function named(schema: Schema): Schema {
  const walk = (value: Value): Value => {
    if (Array.isArray(value)) return value.map(walk)
    if (typeof value !== 'object' || value === null) return value
    const out: Schema = Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]))
    for (const keyword of ['anyOf', 'oneOf']) {
      if (Array.isArray(out[keyword])) out[keyword] = (out[keyword] as Value[]).map((option) => titled(option, schema))
    }
    return out
  }
  return walk(schema) as Schema
}

const kinds: Record<string, string> = { string: 'Text', number: 'Number', integer: 'Whole number', boolean: 'Yes or no', array: 'List', object: 'Group', null: 'Nothing (null)' }

function titled(option: Value, root: Schema): Value {
  if (typeof option !== 'object' || option === null) return option
  const part = option as Schema
  if (typeof part['title'] === 'string' || part['const'] !== undefined) return option
  const meant = typeof part['$ref'] === 'string' ? (resolve(part['$ref'], root) as Schema | undefined) : part
  if (typeof meant?.['title'] === 'string') return option
  const names = asStrings(meant?.['required'])
  const title = names.length > 0 ? `With ${names.join(', ')}` : typeof meant?.['type'] === 'string' ? kinds[meant['type']] : undefined
  return title === undefined ? option : { ...part, title }
}
