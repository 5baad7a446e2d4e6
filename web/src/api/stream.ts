// A stream of server-sent events that outlives its connections. The browser's own EventSource can send no header, cannot
// tell a refusal from a lost connection, and so does not know when to give up.
import { createParser } from 'eventsource-parser'
import { Problem, send } from './http'

export type Message = { id: string; event: string; data: string }

export type Follow = {
  path: string
  signal: AbortSignal
  onMessage: (message: Message) => 'more' | 'enough'
  /** Called when the connection is there, and when it is gone and will be tried again. */
  onConnection?: (connected: boolean) => void
  /** Waits before a connection is tried again; for tests. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
  open?: typeof send
}

const longestWait = 15_000

/** Reads events until onMessage has enough, the signal says so, or the server refuses; a lost connection is taken up after
 * the last event that was read. It throws the refusal. */
export async function follow({ path, signal, onMessage, onConnection = () => {}, wait = pause, open = send }: Follow): Promise<void> {
  let last = ''
  let retry = 1_000
  let failures = 0
  let enough = false
  while (!signal.aborted && !enough) {
    try {
      const answer = await open(path, { headers: { Accept: 'text/event-stream', ...(last ? { 'Last-Event-ID': last } : {}) }, signal })
      onConnection(true)
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          if (enough) return
          if (id !== undefined) last = id
          failures = 0
          enough = onMessage({ id: id ?? '', event: event ?? 'message', data }) === 'enough'
        },
        onRetry: (milliseconds) => {
          retry = Math.min(milliseconds, longestWait)
        },
      })
      await read(answer, parser.feed, () => enough)
    } catch (cause) {
      if (signal.aborted) return
      if (cause instanceof Problem && !passing(cause)) throw cause
    }
    if (enough || signal.aborted) return
    onConnection(false)
    await wait(Math.min(retry * 2 ** failures++, longestWait), signal)
  }
}

/** Whether a refusal is one that time may mend. */
const passing = (problem: Problem): boolean => [0, 429, 502, 503, 504].includes(problem.document.status)

async function read(answer: Response, feed: (chunk: string) => void, enough: () => boolean): Promise<void> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      feed(value)
      if (enough()) return
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
