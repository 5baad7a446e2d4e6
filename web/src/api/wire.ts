// What the REST API and the session say, word for word.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }
export type JsonObject = { [name: string]: Json }
export type Schema = { [keyword: string]: unknown }

export type Annotations = {
  title?: string
  readOnlyHint?: boolean
  destructiveHint?: boolean
  idempotentHint?: boolean
  openWorldHint?: boolean
}

export type Tool = {
  name: string
  title?: string
  description?: string
  annotations?: Annotations
  input_schema: Schema
  output_schema?: Schema
  missing_scopes?: string[]
}

export type State = 'running' | 'input_required' | 'completed' | 'failed' | 'cancelled'

export type Progress = { progress: number; total?: number; message?: string }

export type Content =
  | { type: 'text'; text: string }
  | { type: 'image'; data: string; mimeType: string }
  | { type: 'audio'; data: string; mimeType: string }
  | { type: 'resource_link'; uri: string; name?: string; title?: string; description?: string; mimeType?: string }
  | { type: 'resource'; resource: Contents }

export type Result = { content?: Content[]; structuredContent?: Json; isError?: boolean }

/** One thing that a call asks of the person, as MCP has it. */
export type InputRequest = { method: string; params?: { mode?: string; message?: string; requestedSchema?: Schema; url?: string } }

export type Call = {
  id: string
  tool: string
  state: State
  begun: string
  ended?: string
  progress?: Progress
  input_requests?: { [key: string]: InputRequest }
  failure?: { code: string; message: string; request_id: string }
  arguments?: JsonObject
  result?: Result
}

export type CallEvent = { type: 'progress' | 'state'; progress?: Progress; call?: Call }

export type Resource = { uri: string; name: string; title?: string; description?: string; mime_type?: string; missing_scopes?: string[] }

export type Contents = { uri: string; mimeType?: string; text?: string; blob?: string }

export type Identity = {
  provider: string
  issuer: string
  tenant?: string
  subject: string
  object_id?: string
  kind: 'person' | 'app'
  client_id?: string
  name?: string
  username?: string
  email?: string
  scopes?: string[]
  roles?: string[]
  groups?: string[]
  groups_overage?: boolean
  guest?: boolean
  expiry: string
}

export type Session = {
  signed_in: boolean
  mode: 'sign-in' | 'open' | 'unset'
  /** What is missing, where nobody can sign in. */
  unset?: { setting: string; redirect_uri: string }
  csrf?: string
  identity?: Identity
  claims?: JsonObject
  expires_at?: string
  idle_expires_at?: string
  provider?: { name: string; issuer: string }
  scopes?: string[]
  mcp_url?: string
  client_id?: string
}

/** A refusal (RFC 9457). */
export type ProblemDocument = {
  title: string
  status: number
  detail: string
  code: string
  request_id?: string
  errors?: { field: string; message: string }[]
  scopes?: string[]
}

export const ended = (state: State): boolean => state === 'completed' || state === 'failed' || state === 'cancelled'
