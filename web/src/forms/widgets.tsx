// The inputs that the form library asks for by name.
import { Checkbox, Input, NativeSelect, Radio, Stack, Textarea } from '@mantine/core'
import { enumOptionsDeselectValue, enumOptionsSelectValue, type RegistryWidgetsType, type WidgetProps } from '@rjsf/utils'

const failed = (props: WidgetProps): boolean => Boolean(props.rawErrors && props.rawErrors.length > 0)
const faults = (props: WidgetProps): string | undefined => (failed(props) ? [...new Set(props.rawErrors)].join(', ') : undefined)

/** A long text has room to be seen; a short one is sent by Enter. */
function Text(props: WidgetProps) {
  const { BaseInputTemplate } = props.registry.templates
  const room = props.schema.maxLength ?? 0
  return room > 1000 ? <LongText {...props} /> : <BaseInputTemplate {...props} />
}

function LongText(props: WidgetProps) {
  const { id, value, required, disabled, readonly, onChange, onBlur, onFocus, options, placeholder } = props
  return (
    <Textarea
      id={id}
      autosize
      minRows={2}
      maxRows={16}
      value={value ?? ''}
      aria-required={required || undefined}
      disabled={disabled}
      readOnly={readonly}
      placeholder={placeholder}
      error={failed(props)}
      onChange={(event) => onChange(event.currentTarget.value === '' ? options.emptyValue : event.currentTarget.value)}
      onBlur={(event) => onBlur(id, event.currentTarget.value)}
      onFocus={(event) => onFocus(id, event.currentTarget.value)}
    />
  )
}

type Option = { value: unknown; label: string }

/** The browser's own list of choices works with every keyboard and on every phone. */
function Choice(props: WidgetProps) {
  const { id, value, required, disabled, readonly, onChange, options, multiple, label, hideLabel, schema } = props
  const all = (options.enumOptions ?? []) as Option[]
  if (multiple) return <Choices {...props} />
  const at = all.findIndex((one) => same(one.value, value))
  const alternative = schema.default === 0 && id.endsWith('_select')
  return (
    <NativeSelect
      id={id}
      {...(alternative ? { label: hideLabel || !label ? 'Which kind' : `${label}: which kind` } : {})}
      value={at < 0 ? '' : String(at)}
      aria-required={required || undefined}
      disabled={disabled || readonly}
      error={failed(props)}
      onChange={(event) => onChange(event.currentTarget.value === '' ? options.emptyValue : all[Number(event.currentTarget.value)]?.value)}
      data={[...(alternative ? [] : [{ value: '', label: required ? 'Choose…' : 'Not given' }]), ...all.map((one, i) => ({ value: String(i), label: one.label }))]}
    />
  )
}

const same = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b)

function Choices(props: WidgetProps) {
  const { id, value, disabled, readonly, onChange, options } = props
  const all = (options.enumOptions ?? []) as Option[]
  const chosen = (Array.isArray(value) ? value : []) as unknown[]
  return (
    <Stack gap="xs" role="group" id={id} mt={4}>
      {all.map((one, i) => (
        <Checkbox
          key={one.label}
          id={`${id}-${i}`}
          label={one.label}
          disabled={disabled || readonly}
          checked={chosen.some((value) => same(value, one.value))}
          onChange={(event) => onChange(event.currentTarget.checked ? enumOptionsSelectValue(i, chosen as never, all as never) : enumOptionsDeselectValue(i, chosen as never, all as never))}
        />
      ))}
    </Stack>
  )
}

/** Yes or no; and neither, where the tool can do without. */
function YesNo(props: WidgetProps) {
  const { id, value, required, disabled, readonly, onChange, label, schema, options } = props
  const description = [options.description ?? schema.description, required || schema.default === undefined ? '' : `Not given: ${schema.default ? 'yes' : 'no'}.`].filter(Boolean).join(' ') || undefined
  if (required) {
    return <Checkbox id={id} label={label} description={description} checked={value === true} disabled={disabled || readonly} error={faults(props)} onChange={(event) => onChange(event.currentTarget.checked)} />
  }
  return (
    <Input.Wrapper id={id} label={label} description={description} error={faults(props)} labelProps={{ htmlFor: id }}>
      <NativeSelect
        id={id}
        value={value === undefined || value === null ? '' : String(value)}
        disabled={disabled || readonly}
        error={failed(props)}
        onChange={(event) => onChange(event.currentTarget.value === '' ? undefined : event.currentTarget.value === 'true')}
        data={[
          { value: '', label: 'Not given' },
          { value: 'true', label: 'Yes' },
          { value: 'false', label: 'No' },
        ]}
      />
    </Input.Wrapper>
  )
}

function Radios(props: WidgetProps) {
  const { id, value, disabled, readonly, onChange, options } = props
  const all = (options.enumOptions ?? []) as Option[]
  return (
    <Stack gap="xs" role="radiogroup" mt={4}>
      {all.map((one, i) => (
        <Radio key={one.label} id={`${id}-${i}`} name={id} label={one.label} checked={same(one.value, value)} disabled={disabled || readonly} onChange={() => onChange(one.value)} />
      ))}
    </Stack>
  )
}

export const widgets: RegistryWidgetsType = {
  TextWidget: Text,
  TextareaWidget: LongText,
  SelectWidget: Choice,
  CheckboxesWidget: Choices,
  CheckboxWidget: YesNo,
  RadioWidget: Radios,
}
