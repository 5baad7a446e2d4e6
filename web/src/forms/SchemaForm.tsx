// A form from a JSON Schema, with the same as raw JSON beside it.
import Form from '@rjsf/core/lib/components/Form.js' // the package's front door also leads to its tests
import getDefaultRegistry from '@rjsf/core/lib/getDefaultRegistry.js'
import type { Experimental_DefaultFormStateBehavior, RJSFSchema, UiSchema } from '@rjsf/utils'
import { Alert, Button, Group, SegmentedControl, Textarea } from '@mantine/core'
import { useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import type { JsonObject, Schema } from '../api/wire'
import { given, named } from './arguments'
import { templates } from './templates'
import { errorSchemaOf, faultsOf, lineOf, validator, type Fault } from './validator'
import { widgets } from './widgets'

export type Draft = { view: 'form' | 'json'; value: unknown; text: string }

export const emptyDraft: Draft = { view: 'form', value: undefined, text: '{}' }

type Props = {
  label: string
  schema: Schema
  draft: Draft
  onDraft: (draft: Draft) => void
  onSubmit: (value: JsonObject) => void
  submit: string
  busy?: boolean
  /** What the server found wrong. */
  faults?: Fault[]
  actions?: ReactNode
}

// What must be there and has a default is filled in; what may be left out is left to the server.
const defaults: Experimental_DefaultFormStateBehavior = {
  emptyObjectFields: 'populateRequiredDefaults',
  arrayMinItems: { populate: 'requiredOnly' },
  constAsDefaults: 'always',
}

const uiSchema: UiSchema = { 'ui:submitButtonOptions': { norender: true } }

const registry = getDefaultRegistry()
const allWidgets = { ...registry.widgets, ...widgets }

export default function SchemaForm({ label, schema, draft, onDraft, onSubmit, submit, busy = false, faults: refused = [], actions }: Props) {
  const shape = useMemo(() => named(schema), [schema])
  const [tried, setTried] = useState(false)
  const [told, setTold] = useState<Fault[]>([])
  const here = useRef<HTMLDivElement>(null)

  const value = given(schema, draft.value ?? {}) as JsonObject
  const parsed = useMemo(() => parse(draft.text), [draft.text])
  const found = tried ? check(schema, draft.view === 'form' ? value : parsed.value) : []
  const shown = [...found, ...told, ...refused.filter((fault) => !told.includes(fault))]
  const extra = useMemo(() => errorSchemaOf(shown), [JSON.stringify(shown)])
  const general = shown.filter((fault) => draft.view === 'json' || fault.path.length === 0)

  const change = (next: Draft) => {
    setTold([])
    onDraft(next)
  }
  const turn = (view: string) => {
    if (view === 'json') change({ ...draft, view: 'json', text: JSON.stringify(value, null, 2) })
    else if (parsed.value !== undefined) change({ ...draft, view: 'form', value: parsed.value })
    else setTried(true)
  }
  const go = () => {
    const whole = draft.view === 'form' ? value : parsed.value
    setTried(true)
    if (whole === undefined || check(schema, whole).length > 0) {
      requestAnimationFrame(() => here.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
      return
    }
    onSubmit(whole)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault()
      go()
    }
  }

  return (
    <div ref={here} onKeyDown={onKeyDown}>
      <SegmentedControl
        aria-label={`How to fill in ${label}`}
        size="xs"
        mb="md"
        value={draft.view}
        onChange={turn}
        data={[
          { value: 'form', label: 'Form' },
          { value: 'json', label: 'JSON' },
        ]}
      />
      {draft.view === 'form' ? (
        <Form
          schema={shape as RJSFSchema}
          uiSchema={uiSchema}
          formData={draft.value}
          validator={validator}
          templates={templates}
          widgets={allWidgets}
          experimental_defaultFormStateBehavior={defaults}
          extraErrors={extra}
          noValidate
          noHtml5Validate
          showErrorList={false}
          idPrefix={label.replace(/[^A-Za-z0-9_-]/g, '_')}
          onChange={({ formData }) => change({ ...draft, value: formData })}
          onSubmit={go}
        >
          <Problems faults={general} />
          <Actions submit={submit} busy={busy}>{actions}</Actions>
        </Form>
      ) : (
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault()
            go()
          }}
        >
          <Textarea
            label="Arguments as JSON"
            description="One object, sent as it stands."
            autosize
            minRows={6}
            maxRows={24}
            spellCheck={false}
            value={draft.text}
            onChange={(event) => change({ ...draft, text: event.currentTarget.value })}
            error={tried && parsed.error}
            classNames={{ input: 'code' }}
          />
          <Problems faults={general} />
          <Actions submit={submit} busy={busy}>{actions}</Actions>
        </form>
      )}
    </div>
  )
}

function Problems({ faults }: { faults: Fault[] }) {
  if (faults.length === 0) return null
  return (
    <Alert color="red" variant="light" role="alert" mt="md" title="Please look at this again">
      {faults.map((fault) => (
        <div key={lineOf(fault)}>{lineOf(fault)}</div>
      ))}
    </Alert>
  )
}

function Actions({ submit, busy, children }: { submit: string; busy: boolean; children?: ReactNode }) {
  return (
    <Group mt="lg">
      <Button type="submit" loading={busy}>
        {submit}
      </Button>
      {children}
    </Group>
  )
}

/** A schema that the validator cannot read stops nobody: the server checks as well. */
function check(schema: Schema, value: unknown): Fault[] {
  if (value === undefined) return []
  try {
    return faultsOf(schema, value)
  } catch {
    return []
  }
}

function parse(text: string): { value?: JsonObject; error?: string } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value: value as JsonObject }
    return { error: 'Write one object: { … }' }
  } catch (cause) {
    return { error: cause instanceof Error ? cause.message : 'This is no JSON' }
  }
}
