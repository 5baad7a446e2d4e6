// One call: how far it is, what it asks, and what came of it.
import { Alert, Button, Code, Group, Text } from '@mantine/core'
import { lazy, Suspense, useEffect, useId, useState, type ReactNode } from 'react'
import { ended, type Call, type State } from '../api/wire'
import { keepDraft } from '../shell/drafts'
import { useSession } from '../api/session'
import { go } from '../shell/route'
import { Trouble } from '../shell/Trouble'
import { useCall, useCancel, useForget } from './calls'
import { ResultView, Structure } from './Result'
import { elapsed, useNow } from './time'

const Asks = lazy(() => import('./Asks'))

const words: Record<State, [tone: string, text: string]> = {
  running: ['busy', 'Running'],
  input_required: ['asks', 'Asks you'],
  completed: ['good', 'Done'],
  failed: ['bad', 'Failed'],
  cancelled: ['', 'Cancelled'],
}

type Props = { seen: Call; title: string; opened?: boolean; heading?: 'h2' | 'h3' }

export function CallCard({ seen, title, opened = false, heading: Heading = 'h2' }: Props) {
  const [open, setOpen] = useState(opened || !ended(seen.state))
  return open ? <Opened seen={seen} title={title} heading={Heading} onClose={() => setOpen(false)} /> : <Closed seen={seen} title={title} heading={Heading} onOpen={() => setOpen(true)} />
}

function Head({ call, title, heading: Heading, children }: { call: Call; title: string; heading: 'h2' | 'h3'; children: ReactNode }) {
  const now = useNow(!ended(call.state))
  const bad = call.result?.isError === true
  const [tone, text] = bad ? (['bad', 'The tool says no'] as const) : words[call.state]
  return (
    <header>
      <Heading>{title}</Heading>
      <span className="mark" data-tone={tone}>
        {text}
      </span>
      <span className="time">
        <time dateTime={call.begun}>{new Date(call.begun).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })}</time> · {elapsed(call, now)}
      </span>
      {children}
    </header>
  )
}

function Closed({ seen, title, heading, onOpen }: { seen: Call; title: string; heading: 'h2' | 'h3'; onOpen: () => void }) {
  return (
    <article className="card" data-call={seen.id} data-state={seen.state}>
      <Head call={seen} title={title} heading={heading}>
        <Button size="compact-sm" variant="default" aria-expanded={false} onClick={onOpen}>
          Show<span className="hidden"> what came of {title}</span>
        </Button>
      </Head>
    </article>
  )
}

function Opened({ seen, title, heading, onClose }: { seen: Call; title: string; heading: 'h2' | 'h3'; onClose: () => void }) {
  const { call, connected, error } = useCall(seen)
  const session = useSession()
  const cancel = useCancel(call.id)
  const forget = useForget(call.id)
  const over = ended(call.state)
  const again = () => {
    keepDraft(`${session.data?.identity?.subject ?? ''} ${call.tool}`, { view: 'form', value: call.arguments ?? {}, text: JSON.stringify(call.arguments ?? {}, null, 2) })
    go(`/tools/${encodeURIComponent(call.tool)}`)
  }
  return (
    <article className="card" data-call={call.id} data-state={call.state} aria-busy={!over}>
      <Head call={call} title={title} heading={heading}>
        {over ? (
          <Button size="compact-sm" variant="default" aria-expanded onClick={onClose}>
            Hide<span className="hidden"> what came of {title}</span>
          </Button>
        ) : (
          <Button size="compact-sm" variant="default" loading={cancel.isPending} disabled={cancel.isSuccess} onClick={() => cancel.mutate()}>
            {cancel.isSuccess ? 'Cancelling…' : <>Cancel<span className="hidden"> {title}</span></>}
          </Button>
        )}
      </Head>
      <div className="body">
        {call.state === 'running' ? <Moving call={call} title={title} connected={connected} /> : null}
        <Told call={call} title={title} />
        {call.state === 'input_required' ? (
          <Suspense fallback={null}>
            <Asks call={call} />
          </Suspense>
        ) : null}
        {call.failure ? (
          <Alert color="red" variant="light" title="The call failed">
            <Text size="sm" className="wrap">{call.failure.message}</Text>
            <Text size="sm" mt={4}>
              If you ask for help, name the request: <Code>{call.failure.request_id}</Code>
            </Text>
          </Alert>
        ) : null}
        {call.state === 'cancelled' ? <Text size="sm" c="dimmed">It was cancelled. What it had done by then may stand.</Text> : null}
        {call.result ? <ResultView result={call.result} /> : null}
        {call.arguments ? (
          <details className="more">
            <summary>What it was given</summary>
            {Object.keys(call.arguments).length === 0 ? <Text size="sm" c="dimmed">No arguments.</Text> : <Structure value={call.arguments} />}
          </details>
        ) : null}
        {error && over ? <Trouble error={error} title="The call cannot be shown" /> : null}
        {cancel.error ? <Trouble error={cancel.error} title="It could not be cancelled" /> : null}
        {forget.error ? <Trouble error={forget.error} title="It could not be forgotten" /> : null}
        {over ? (
          <Group gap="xs">
            <Button size="compact-sm" variant="default" disabled={!call.arguments} onClick={again}>
              Call again…
            </Button>
            <Button size="compact-sm" variant="subtle" loading={forget.isPending} onClick={() => forget.mutate()}>
              Forget
            </Button>
          </Group>
        ) : null}
      </div>
    </article>
  )
}

function Moving({ call, title, connected }: { call: Call; title: string; connected: boolean }) {
  const now = useNow(true)
  const { progress: done = 0, total, message } = call.progress ?? {}
  const known = total !== undefined && total > 0
  // A tool that says nothing for a second says nothing at all: then the bar tells only that it works.
  const unknown = !known && (call.progress !== undefined || now - Date.parse(call.begun) > 1000)
  const percent = known ? Math.min(100, (done / total) * 100) : 0
  const text = known ? `${Math.round(percent)} %` : call.progress ? String(done) : ''
  const id = useId()
  return (
    <div className="moving">
      <div
        className="progress"
        role="progressbar"
        aria-label={`How far ${title} is`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={unknown ? undefined : Math.round(percent)}
        aria-valuetext={known ? `${text}${message ? `, ${message}` : ''}` : 'under way'}
        aria-describedby={id}
        data-unknown={unknown || undefined}
      >
        <div style={{ width: `${unknown ? 100 : percent}%` }} />
      </div>
      <div className="message" id={id}>
        <span>{connected ? (message ?? 'Under way') : 'The connection is lost and is being taken up again; the call goes on.'}</span>
        <span>{text}</span>
      </div>
    </div>
  )
}

/** What a screen reader is told: each quarter, and the end. More would drown everything else. */
function Told({ call, title }: { call: Call; title: string }) {
  const { progress: done = 0, total = 0 } = call.progress ?? {}
  const quarter = total > 0 ? Math.floor((done / total) * 4) * 25 : 0
  const [text, setText] = useState('')
  useEffect(() => {
    if (call.state === 'running') setText(quarter > 0 ? `${title}: ${quarter} percent` : `${title} runs`)
    else setText(`${title}: ${call.result?.isError ? 'the tool says no' : words[call.state][1]}`)
  }, [call.state, call.result?.isError, quarter, title])
  return (
    <span className="hidden" role="status" aria-live="polite">
      {text}
    </span>
  )
}
