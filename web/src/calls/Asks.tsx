// What a call asks of the person before it goes on: a form, or a page to visit.
import { Alert, Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import type { Call, InputRequest, JsonObject } from '../api/wire'
import SchemaForm, { emptyDraft, type Draft } from '../forms/SchemaForm'
import { Trouble } from '../shell/Trouble'
import { useAnswer, type Answer } from './calls'

export default function Asks({ call }: { call: Call }) {
  const requests = Object.entries(call.input_requests ?? {})
  const [answers, setAnswers] = useState<{ [key: string]: Answer }>({})
  const send = useAnswer(call.id)
  const answer = (key: string, given: Answer) => {
    const all = { ...answers, [key]: given }
    setAnswers(all)
    if (requests.every(([one]) => one in all)) send.mutate(all, { onError: () => setAnswers({}) })
  }
  return (
    <Stack>
      {requests.map(([key, request]) => (key in answers ? null : <One key={key} id={`${call.id}-${key}`} request={request} busy={send.isPending} onAnswer={(given) => answer(key, given)} />))}
      {send.isPending ? <Text c="dimmed">Your answer is on its way…</Text> : null}
      {send.error ? <Trouble error={send.error} title="The answer was not taken" /> : null}
    </Stack>
  )
}

function One({ id, request, busy, onAnswer }: { id: string; request: InputRequest; busy: boolean; onAnswer: (answer: Answer) => void }) {
  const [draft, setDraft] = useState<Draft>(emptyDraft)
  const { message, requestedSchema, url } = request.params ?? {}
  const decline = (
    <>
      <Button variant="default" disabled={busy} onClick={() => onAnswer({ action: 'decline' })}>
        Say no
      </Button>
      <Button variant="subtle" disabled={busy} onClick={() => onAnswer({ action: 'cancel' })}>
        Not now
      </Button>
    </>
  )
  return (
    <Alert color="yellow" variant="light" title="The tool asks" role="group" aria-label="The tool asks">
      <Stack gap="md">
        <Text className="wrap">{message ?? 'It needs something from you to go on.'}</Text>
        <Text size="sm" c="dimmed">Never give a password or a token here.</Text>
        {url ? (
          <>
            {/^https?:\/\//i.test(url) ? (
              <Anchor href={url} target="_blank" rel="noopener noreferrer" className="wrap">
                {url} (leaves this page)
              </Anchor>
            ) : (
              <Text className="wrap">{url}</Text>
            )}
            <Group>
              <Button disabled={busy} onClick={() => onAnswer({ action: 'accept' })}>
                I have done that
              </Button>
              {decline}
            </Group>
          </>
        ) : requestedSchema ? (
          <SchemaForm label={id} schema={requestedSchema} draft={draft} onDraft={setDraft} submit="Answer" busy={busy} onSubmit={(content: JsonObject) => onAnswer({ action: 'accept', content })} actions={decline} />
        ) : (
          <Group>
            <Button disabled={busy} onClick={() => onAnswer({ action: 'accept', content: {} })}>
              Yes
            </Button>
            {decline}
          </Group>
        )}
      </Stack>
    </Alert>
  )
}
