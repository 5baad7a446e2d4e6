// JSON Schema 2020-12 for the form library, without building code from text, which the page's policy forbids.
import { Validator, type OutputUnit, type Schema as WorkerSchema } from '@cfworker/json-schema'
import type { CustomValidator, ErrorSchema, ErrorTransformer, RJSFSchema, RJSFValidationError, UiSchema, ValidationData, ValidatorType } from '@rjsf/utils'
import { toErrorSchema } from '@rjsf/utils'

/** One thing that is wrong: where, as the path of names and indexes, and what. */
export type Fault = { path: (string | number)[]; keyword: string; message: string }

const rootId = 'fastmcp-auth:schema'

/** Finds what is wrong with a value. */
export function faultsOf(schema: unknown, value: unknown, root: unknown = schema): Fault[] {
  const validator = validatorFor(schema, root)
  return validator ? tidy(validator.validate(plain(value)).errors).map((unit) => faultOf(unit, schema, root)) : []
}

function isValid(schema: unknown, value: unknown, root: unknown): boolean {
  try {
    return validatorFor(schema, root)?.validate(plain(value)).valid ?? true
  } catch {
    return false
  }
}

const known = new WeakMap<object, Validator>()

function validatorFor(schema: unknown, root: unknown): Validator | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined
  const seen = known.get(schema)
  if (seen) return seen
  const whole = schema === root
  const validator = new Validator((whole ? copy(schema) : rebased(schema)) as WorkerSchema, '2020-12', false)
  if (!whole && typeof root === 'object' && root !== null) validator.addSchema(copy(root) as WorkerSchema, rootId)
  known.set(schema, validator)
  return validator
}

// The validator writes into the schemas it is given.
const copy = (schema: unknown): unknown => JSON.parse(JSON.stringify(schema))

/** A part of a schema, whose references lead into the whole. */
function rebased(schema: unknown): unknown {
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) => (key === '$ref' && typeof value === 'string' && value.startsWith('#') ? rootId + value : value))
}

/** The value as it would be sent. */
const plain = (value: unknown): unknown => (value === undefined ? null : JSON.parse(JSON.stringify(value)))

// What only says that something within is wrong, which is said besides.
const wrappers = new Set(['properties', 'patternProperties', 'items', 'prefixItems', 'additionalItems', '$ref', '$dynamicRef', '$recursiveRef', 'allOf', 'if', 'dependentSchemas', 'dependencies'])

/** Leaves what a person can act on: of alternatives, the faults of the one that was nearest. */
function tidy(units: OutputUnit[]): OutputUnit[] {
  const alternatives = units.filter((unit) => unit.keyword === 'anyOf' || unit.keyword === 'oneOf')
  let left = units
  for (const whole of alternatives) {
    if (!left.includes(whole)) continue
    const branches = new Map<string, OutputUnit[]>()
    for (const unit of left) {
      if (!unit.keywordLocation.startsWith(whole.keywordLocation + '/')) continue
      const branch = unit.keywordLocation.slice(whole.keywordLocation.length + 1).split('/')[0] ?? ''
      branches.set(branch, [...(branches.get(branch) ?? []), unit])
    }
    const several = whole.keyword === 'oneOf' && !whole.error.includes('(0 matches)')
    const nearest = several ? [] : ([...branches.values()].sort((a, b) => farness(a, whole) - farness(b, whole))[0] ?? [])
    const dropped = new Set([...branches.values()].flat().filter((unit) => !nearest.includes(unit)))
    if (nearest.length > 0) dropped.add(whole)
    left = left.filter((unit) => !dropped.has(unit))
  }
  // A property that is not allowed is named twice: where it stands, and where it does not belong.
  const specific = left.filter((unit) => !wrappers.has(unit.keyword) && unit.keyword !== 'false')
  return specific.length > 0 ? specific : left.slice(0, 1)
}

/** How far a value is from a branch: one of another kind altogether is farther than one with faults inside. */
const farness = (units: OutputUnit[], whole: OutputUnit): number =>
  units.length + (units.some((unit) => (unit.keyword === 'type' || unit.keyword === 'const') && unit.instanceLocation === whole.instanceLocation) ? 1000 : 0)

const kinds: Record<string, string> = { string: 'a text', number: 'a number', integer: 'a whole number', boolean: 'true or false', array: 'a list', object: 'an object', null: 'null' }

function faultOf(unit: OutputUnit, schema: unknown, root: unknown): Fault {
  const path = pathOf(unit.instanceLocation)
  const quoted = /"((?:[^"\\]|\\.)*)"/.exec(unit.error)?.[1]
  switch (unit.keyword) {
    case 'required':
      return { path: quoted === undefined ? path : [...path, quoted], keyword: unit.keyword, message: 'is needed' }
    case 'type': {
      const wanted = [...(unit.error.split('Expected')[1] ?? '').matchAll(/"([a-z]+)"/g)].map((match) => kinds[match[1] ?? ''] ?? match[1])
      return { path, keyword: unit.keyword, message: `must be ${wanted.join(' or ')}` }
    }
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return { path, keyword: unit.keyword, message: quoted === undefined ? 'has a name that is not known' : `has no field ${quoted}` }
    case 'anyOf':
    case 'oneOf':
      return { path, keyword: unit.keyword, message: unit.error.includes('(0 matches)') || unit.keyword === 'anyOf' ? 'is none of what is allowed' : 'is several of what is allowed, and must be one' }
  }
  return { path, keyword: unit.keyword, message: saidOf(unit, valueAt(schema, unit.keywordLocation, root)) }
}

function saidOf(unit: OutputUnit, limit: unknown): string {
  const shown = typeof limit === 'object' ? JSON.stringify(limit) : String(limit)
  switch (limit === undefined ? '' : unit.keyword) {
    case 'minLength':
      return limit === 1 ? 'must not be empty' : `must have at least ${shown} characters`
    case 'maxLength':
      return `must have at most ${shown} characters`
    case 'minimum':
      return `must be ${shown} or more`
    case 'maximum':
      return `must be ${shown} or less`
    case 'exclusiveMinimum':
      return `must be more than ${shown}`
    case 'exclusiveMaximum':
      return `must be less than ${shown}`
    case 'multipleOf':
      return `must be a multiple of ${shown}`
    case 'minItems':
      return `must have at least ${shown}`
    case 'maxItems':
      return `must have at most ${shown}`
    case 'uniqueItems':
      return 'must not have the same twice'
    case 'const':
      return `must be ${shown}`
    case 'enum':
      return `must be one of ${(limit as unknown[]).map((one) => JSON.stringify(one)).join(', ')}`
    case 'pattern':
      return `must match ${shown}`
    case 'format':
      return `must be a valid ${shown}`
  }
  return unit.error.replace(/\.$/, '').replace(/^[A-Z]/, (first) => first.toLowerCase())
}

/** What stands in a schema at a keyword's location, which may lead over references. */
function valueAt(schema: unknown, location: string, root: unknown): unknown {
  let at: unknown = schema
  for (const step of pathOf(location)) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<string, unknown>)[String(step)]
    if (step === '$ref') at = typeof at === 'string' && at.startsWith('#') ? valueAt(root, at, root) : undefined
  }
  return at
}

function pathOf(pointer: string): (string | number)[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^(0|[1-9][0-9]*)$/.test(step) ? Number(step) : step))
}

/** Faults as the form library shows them at its fields. */
export function errorSchemaOf(faults: Fault[]): ErrorSchema {
  const root: Record<string, unknown> = {}
  for (const { path, message } of faults) {
    let at = root
    for (const step of path) at = (at[String(step)] ??= {}) as Record<string, unknown>
    at['__errors'] = [...((at['__errors'] as string[] | undefined) ?? []), message]
  }
  return root as ErrorSchema
}

/** The same as one line each. */
export const lineOf = ({ path, message }: Fault): string =>
  (path.length === 0 ? message : `${path.map((step, i) => (typeof step === 'number' ? `[${step + 1}]` : i === 0 ? step : `.${step}`)).join('')} ${message}`)

const rjsfError = (fault: Fault): RJSFValidationError => {
  const property = fault.path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('')
  return { name: fault.keyword, property, message: fault.message, stack: lineOf(fault), params: {} }
}

/** What the form library asks for a validator. */
export const validator: ValidatorType = {
  validateFormData(formData: unknown, schema: RJSFSchema, _custom?: CustomValidator, transform?: ErrorTransformer, uiSchema?: UiSchema): ValidationData<unknown> {
    const found = faultsOf(schema, formData).map(rjsfError)
    const errors = transform ? transform(found, uiSchema) : found
    return { errors, errorSchema: toErrorSchema(errors) }
  },
  isValid: (schema: RJSFSchema, formData: unknown, root: RJSFSchema) => isValid(schema, formData, root),
  rawValidation<Result>(schema: RJSFSchema, formData?: unknown) {
    return { errors: faultsOf(schema, formData) as Result[] }
  },
}
