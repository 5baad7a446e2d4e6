// One way to ask the server. A refusal is a Problem, whoever refuses: the server, or the network on the way to it.
import type { ProblemDocument } from './wire'

export class Problem extends Error {
  readonly document: ProblemDocument

  constructor(document: ProblemDocument) {
    super(document.detail || document.title)
    this.name = 'Problem'
    this.document = document
  }

  get code(): string {
    return this.document.code
  }

  /** The session has ended, or there was none. */
  get signsOut(): boolean {
    return this.document.status === 401
  }
}

const unreachable = (): Problem =>
  new Problem({ title: 'Unreachable', status: 0, code: 'unreachable', detail: 'The server cannot be reached. Check your connection; what runs there goes on.' })

/** What each request carries to prove that a page of this origin sent it. It is no secret of the person's. */
let csrf = ''
export const proveBy = (token: string | undefined): void => {
  csrf = token ?? ''
}

let onSignedOut = (): void => {}
/** Names who is told when the server says that nobody is signed in. */
export const whenSignedOut = (tell: () => void): void => {
  onSignedOut = tell
}

export type Ask = { method?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal }

/** Sends a request and returns the answer, or throws the Problem that it was. */
export async function send(path: string, { method = 'GET', body, headers, signal }: Ask = {}): Promise<Response> {
  const sent: Record<string, string> = { Accept: 'application/json', ...headers }
  if (body !== undefined) sent['Content-Type'] = 'application/json'
  if (method !== 'GET' && csrf) sent['X-CSRF-Token'] = csrf
  let answer: Response
  try {
    answer = await fetch(path, {
      method,
      headers: sent,
      credentials: 'same-origin',
      redirect: 'error',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw unreachable()
  }
  if (answer.ok) return answer
  const problem = await problemOf(answer)
  if (problem.signsOut) onSignedOut()
  throw problem
}

/** Sends a request and reads the JSON of its answer. */
export async function ask<T>(path: string, options?: Ask): Promise<T> {
  const answer = await send(path, options)
  return (answer.status === 202 || answer.status === 200 ? await readJson(answer) : undefined) as T
}

async function readJson(answer: Response): Promise<unknown> {
  const text = await answer.text()
  return text === '' ? undefined : JSON.parse(text)
}

async function problemOf(answer: Response): Promise<Problem> {
  const plain: ProblemDocument = { title: answer.statusText, status: answer.status, code: 'failed', detail: `The server answered with status ${answer.status}.` }
  try {
    return new Problem({ ...plain, ...((await answer.json()) as Partial<ProblemDocument>), status: answer.status })
  } catch {
    return new Problem(plain)
  }
}
