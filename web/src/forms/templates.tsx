// How a form is laid out. Each field has a visible label, its description and its faults, and the input names them all.
import { ActionIcon, Button, Fieldset, Group, Input, Stack, Text, TextInput } from '@mantine/core'
import {
  ADDITIONAL_PROPERTY_FLAG,
  buttonId,
  canExpand,
  type ArrayFieldItemTemplateProps,
  type ArrayFieldTemplateProps,
  type FieldTemplateProps,
  type MultiSchemaFieldTemplateProps,
  type ObjectFieldTemplateProps,
  type OptionalDataControlsTemplateProps,
  type TemplatesType,
  type UnsupportedFieldProps,
  type BaseInputTemplateProps,
} from '@rjsf/utils'
import { DownIcon, RemoveIcon, UpIcon } from '../shell/icons'

/** Why a required field needs no mark when everything in a form is required is a question for another day: it has one. */
function Field(props: FieldTemplateProps) {
  const { id, label, displayLabel, required, rawDescription, rawErrors, hidden, schema, children } = props
  if (hidden) return <div hidden>{children}</div>
  const faults = rawErrors && rawErrors.length > 0 ? [...new Set(rawErrors)].join(', ') : undefined
  const body = displayLabel ? (
    <Input.Wrapper id={id} label={label} withAsterisk={required} description={described(rawDescription, schema['default'], required)} error={faults} labelProps={{ htmlFor: id }}>
      {children}
    </Input.Wrapper>
  ) : (
    children
  )
  return ADDITIONAL_PROPERTY_FLAG in schema ? <Additional {...props}>{body}</Additional> : body
}

function described(description: string | undefined, fallback: unknown, required: boolean | undefined): string | undefined {
  if (fallback === undefined || required) return description || undefined
  return `${description ? description.replace(/\.?$/, '. ') : ''}Left empty: ${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}.`
}

/** A member whose name the person chooses. */
function Additional({ id, label, disabled, readonly, onKeyRenameBlur, onRemoveProperty, children }: FieldTemplateProps) {
  return (
    <Group align="flex-end" wrap="nowrap" gap="xs">
      <TextInput label="Name" defaultValue={label} id={`${id}-key`} onBlur={onKeyRenameBlur} disabled={disabled || readonly} />
      <div className="grow">{children}</div>
      <ActionIcon variant="default" size="lg" aria-label={`Remove ${label}`} id={buttonId(id, 'remove')} onClick={onRemoveProperty} disabled={disabled || readonly}>
        <RemoveIcon />
      </ActionIcon>
    </Group>
  )
}

function ObjectField({ title, description, properties, fieldPathId, schema, uiSchema, formData, disabled, readonly, onAddProperty, optionalDataControl }: ObjectFieldTemplateProps) {
  const root = fieldPathId.path.length === 0
  const body = (
    <Stack gap="md">
      {!root && description ? <Text size="sm" c="dimmed">{description}</Text> : null}
      {optionalDataControl}
      {root && properties.length === 0 && !canExpand(schema, uiSchema, formData) && !schema.anyOf && !schema.oneOf ? <Text c="dimmed">This tool takes no arguments.</Text> : null}
      {properties.filter((one) => !one.hidden).map((one) => (
        <div key={one.name}>{one.content}</div>
      ))}
      {canExpand(schema, uiSchema, formData) ? (
        <Group>
          <Button variant="default" size="xs" id={buttonId(fieldPathId, 'add')} onClick={onAddProperty} disabled={disabled || readonly}>
            Add a field{root ? '' : ` to ${title}`}
          </Button>
        </Group>
      ) : null}
    </Stack>
  )
  return root ? body : <Fieldset legend={title}>{body}</Fieldset>
}

function ArrayField({ title, schema, items, canAdd, onAddClick, fieldPathId, disabled, readonly, required, rawErrors, optionalDataControl }: ArrayFieldTemplateProps) {
  return (
    <Fieldset legend={<>{title}{required ? <span className="asterisk" aria-hidden> *</span> : null}</>}>
      <Stack gap="sm">
        {schema.description ? <Text size="sm" c="dimmed">{schema.description}</Text> : null}
        {optionalDataControl}
        {items}
        {rawErrors && rawErrors.length > 0 ? <Input.Error>{rawErrors.join(', ')}</Input.Error> : null}
        {canAdd ? (
          <Group>
            <Button variant="default" size="xs" id={buttonId(fieldPathId, 'add')} onClick={onAddClick} disabled={disabled || readonly}>
              Add to {title}
            </Button>
          </Group>
        ) : null}
      </Stack>
    </Fieldset>
  )
}

function ArrayItem({ children, index, buttonsProps, hasToolbar }: ArrayFieldItemTemplateProps) {
  const place = `item ${index + 1}`
  return (
    <Group align="flex-end" wrap="nowrap" gap="xs">
      <div className="grow">{children}</div>
      {hasToolbar ? (
        <Group gap={4} wrap="nowrap">
          {buttonsProps.hasMoveUp ? (
            <ActionIcon variant="default" size="lg" aria-label={`Move ${place} up`} onClick={buttonsProps.onMoveUpItem}>
              <UpIcon />
            </ActionIcon>
          ) : null}
          {buttonsProps.hasMoveDown ? (
            <ActionIcon variant="default" size="lg" aria-label={`Move ${place} down`} onClick={buttonsProps.onMoveDownItem}>
              <DownIcon />
            </ActionIcon>
          ) : null}
          {buttonsProps.hasRemove ? (
            <ActionIcon variant="default" size="lg" aria-label={`Remove ${place}`} onClick={buttonsProps.onRemoveItem}>
              <RemoveIcon />
            </ActionIcon>
          ) : null}
        </Group>
      ) : null}
    </Group>
  )
}

function MultiSchemaField({ selector, optionSchemaField }: MultiSchemaFieldTemplateProps) {
  return (
    <Stack gap="sm">
      {selector}
      {optionSchemaField}
    </Stack>
  )
}

// Numbers are typed as text: a browser's own number field drops what it cannot read, and turns with the mouse wheel.
function BaseInput({ id, value, required, disabled, readonly, autofocus, onChange, onChangeOverride, onBlur, onFocus, type, schema, options, rawErrors, placeholder, htmlName, name }: BaseInputTemplateProps) {
  const number = schema.type === 'number' || schema.type === 'integer' || (Array.isArray(schema.type) && schema.type.some((one) => one === 'number' || one === 'integer'))
  const kind = number ? 'text' : (type ?? inputTypes[schema.format ?? ''] ?? 'text')
  return (
    <TextInput
      id={id}
      name={htmlName || name}
      type={kind}
      inputMode={number && (schema.minimum ?? -1) >= 0 ? (schema.type === 'integer' ? 'numeric' : 'decimal') : undefined}
      autoComplete="off"
      value={value ?? ''}
      aria-required={required || undefined}
      disabled={disabled}
      readOnly={readonly}
      autoFocus={autofocus}
      placeholder={placeholder}
      error={Boolean(rawErrors && rawErrors.length > 0)}
      onChange={onChangeOverride ?? ((event) => onChange(event.currentTarget.value === '' ? options.emptyValue : event.currentTarget.value))}
      onBlur={(event) => onBlur(id, event.currentTarget.value)}
      onFocus={(event) => onFocus(id, event.currentTarget.value)}
    />
  )
}

const inputTypes: Record<string, string> = { date: 'date', email: 'email', uri: 'url', time: 'text', 'date-time': 'text' }

function OptionalDataControls({ id, label, onAddClick, onRemoveClick }: OptionalDataControlsTemplateProps) {
  const act = onAddClick ?? onRemoveClick
  return act ? (
    <Group>
      <Button id={id} variant="default" size="xs" onClick={act}>
        {label}
      </Button>
    </Group>
  ) : null
}

function Unsupported({ reason }: UnsupportedFieldProps) {
  return <Text size="sm" c="dimmed">The form cannot show this ({reason}). Write it as JSON.</Text>
}

const Nothing = () => null

export const templates: Partial<TemplatesType> = {
  FieldTemplate: Field,
  ObjectFieldTemplate: ObjectField,
  ArrayFieldTemplate: ArrayField,
  ArrayFieldItemTemplate: ArrayItem,
  MultiSchemaFieldTemplate: MultiSchemaField,
  BaseInputTemplate: BaseInput,
  OptionalDataControlsTemplate: OptionalDataControls,
  UnsupportedFieldTemplate: Unsupported,
  ErrorListTemplate: Nothing,
  FieldErrorTemplate: Nothing,
  FieldHelpTemplate: Nothing,
}
