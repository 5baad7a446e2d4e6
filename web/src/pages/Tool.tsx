// One tool: what it does, its form, and what became of the calls.
import { Alert, Button, Code, Group, Stack, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react'
import { Problem } from '../api/http'
import { toolsQuery } from '../api/offers'
import { signInAt } from '../api/session'
import type { JsonObject, Session } from '../api/wire'
import { CallCard } from '../calls/CallCard'
import { callsQuery, useBegin } from '../calls/calls'
import type { Draft } from '../forms/SchemaForm'
import type { Fault } from '../forms/validator'
import { dropDraft, keepDraft, readDraft } from '../shell/drafts'
import { Link } from '../shell/Link'
import { Page } from '../shell/Page'
import { Trouble } from '../shell/Trouble'
import { Marks } from './Marks'
import { titleOf } from './matching'

const SchemaForm = lazy(() => import('../forms/SchemaForm'))

export default function Tool({ name, session }: { name: string; session: Session }) {
  const tools = useQuery(toolsQuery)
  const tool = tools.data?.find((one) => one.name === name)
  if (tool) return <Known key={name} tool={tool} session={session} />
  return (
    <Page title={name}>
      {tools.error ? <Trouble error={tools.error} title="The tool cannot be shown" again={() => void tools.refetch()} /> : null}
      {tools.data ? <Text>There is no such tool, or it is not for you. <Link to="/tools">See those there are</Link></Text> : null}
    </Page>
  )
}

function Known({ tool, session }: { tool: import('../api/wire').Tool; session: Session }) {
  const owner = session.identity?.subject ?? ''
  const place = `${owner} ${tool.name}`
  const [kept] = useState(() => readDraft<Draft>(place))
  const [draft, setDraft] = useState<Draft>(kept ?? { view: 'form', value: undefined, text: '{}' })
  const touched = useRef(kept !== undefined)
  const latest = useRef(draft)
  latest.current = draft
  // What was filled in outlives a look at another page, and a sign-in.
  useEffect(() => {
    dropDraft(place)
    return () => {
      if (touched.current) keepDraft(place, latest.current)
    }
  }, [place])
  const begin = useBegin()
  const key = useRef(newKey())
  const calls = useQuery(callsQuery)
  const own = useMemo(() => (calls.data ?? []).filter((call) => call.tool === tool.name).slice(0, 5), [calls.data, tool.name])
  const [fresh, setFresh] = useState<string>()
  const refused = begin.error instanceof Problem ? begin.error : undefined
  const missing = refused?.code === 'insufficient_scope' ? (refused.document.scopes ?? []) : (tool.missing_scopes ?? [])
  const faults: Fault[] = useMemo(() => (refused?.document.errors ?? []).map(({ field, message }) => ({ path: field === '' ? [] : [field], keyword: 'server', message })), [refused])

  const change = (next: Draft) => {
    touched.current = true
    key.current = newKey()
    if (begin.error) begin.reset()
    setDraft(next)
  }
  const call = (args: JsonObject) =>
    begin.mutate(
      { tool: tool.name, args, key: key.current },
      {
        onSuccess: ({ id }) => {
          key.current = newKey()
          setFresh(id)
        },
      },
    )
  const stepUp = () => {
    keepDraft(place, latest.current)
    touched.current = false
    location.assign(signInAt(`/tools/${encodeURIComponent(tool.name)}`, missing))
  }

  return (
    <Page title={titleOf(tool)} lead={tool.description} extra={<Marks tool={tool} />}>
      <div className="panel">
        {missing.length > 0 ? (
          <Alert color="yellow" variant="light" mb="md" role="status" title="This tool needs another permission">
            <Text size="sm">
              It is for those who have {missing.map((scope, i) => <span key={scope}>{i > 0 ? ' and ' : ''}<Code>{scope}</Code></span>)}. You can ask the provider for it now, and come back here to your form.
            </Text>
            <Group mt="sm">
              <Button size="xs" onClick={stepUp}>
                Ask for it and come back
              </Button>
            </Group>
          </Alert>
        ) : null}
        <Suspense fallback={<Text c="dimmed">The form is on its way…</Text>}>
          <SchemaForm
            label={tool.name}
            schema={tool.input_schema}
            draft={draft}
            onDraft={change}
            onSubmit={call}
            submit={tool.annotations?.destructiveHint && !tool.annotations.readOnlyHint ? 'Call it; it may destroy' : 'Call'}
            busy={begin.isPending}
            faults={faults}
            actions={
              <Button variant="subtle" onClick={() => (setDraft({ view: draft.view, value: undefined, text: '{}' }), (touched.current = false), begin.reset())}>
                Clear
              </Button>
            }
          />
        </Suspense>
        {begin.error && missing.length === 0 && faults.length === 0 ? (
          <Stack mt="md">
            <Trouble error={begin.error} title="The call was not begun" />
          </Stack>
        ) : null}
      </div>
      {own.length > 0 ? (
        <section aria-labelledby="calls-of">
          <Group justify="space-between" mb="sm">
            <Title order={2} id="calls-of">
              Calls of this tool
            </Title>
            <Link to="/calls">All calls</Link>
          </Group>
          <Stack gap="sm">
            {own.map((one) => (
              <CallCard key={one.id} seen={one} title={titleOf(tool)} opened={one.id === fresh} heading="h3" />
            ))}
          </Stack>
        </section>
      ) : null}
    </Page>
  )
}

/** A text that stands for one call: sent again, it begins no second one. */
const newKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
