// The page that explains the REST API: Swagger UI, from this origin alone, asked to keep nothing.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'
import './docs.css'
import { channelName } from './channel'

type Session = { csrf?: string; client_id?: string; mcp_url?: string }
type Request = { url: string; method?: string; headers: Record<string, string>; body?: unknown }

// A person who is signed in to the console is signed in here: the session's cookie goes along by itself, and what changes
// something needs the session's token against forged requests.
const session: Session = await fetch('/console/session', { headers: { Accept: 'application/json' } })
  .then((answer) => (answer.ok ? (answer.json() as Promise<Session>) : {}))
  .catch(() => ({}))

const ui = SwaggerUI({
  url: '/api/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  oauth2RedirectUrl: new URL('/api/docs/oauth2-redirect.html', location.href).href,
  requestInterceptor: (request: Request) => {
    const to = new URL(request.url, location.href)
    const own = to.origin === location.origin
    if (!own) {
      // The code is redeemed by a plain form: no header that a provider must allow first, and the resource where the RFC
      // has it (RFC 8707, section 2.2).
      delete request.headers['X-Requested-With']
      const resource = to.searchParams.get('resource')
      to.search = ''
      request.url = to.href
      if (resource && typeof request.body === 'string') request.body += `&${new URLSearchParams({ resource })}`
      return request
    }
    const safe = /^(GET|HEAD|OPTIONS)$/i.test(request.method ?? 'GET')
    if (!safe && session.csrf && !request.headers['Authorization']) request.headers['X-CSRF-Token'] = session.csrf
    return request
  },
})
ui.initOAuth({
  clientId: session.client_id,
  usePkceWithAuthorizationCodeGrant: true,
  additionalQueryStringParams: session.mcp_url ? { resource: session.mcp_url } : {},
})

// What Swagger UI leaves for the window that comes back.
type Waiting = {
  state?: string
  redirectUrl: string
  auth: { name: string; code?: string }
  callback: (answer: { auth: Waiting['auth']; redirectUrl: string }) => void
  errCb: (problem: { authId: string; source: 'auth'; level: 'error'; message: string }) => void
}

// The answer is taken once, and only by the page that asked: its state must be the one that was sent.
new BroadcastChannel(channelName).onmessage = ({ data }: MessageEvent<string>) => {
  const waiting = (window as { swaggerUIRedirectOauth2?: Waiting }).swaggerUIRedirectOauth2
  const answer = new URLSearchParams(data)
  if (!waiting?.state || answer.get('state') !== waiting.state) return
  delete waiting.state
  const code = answer.get('code')
  if (code) {
    waiting.auth.code = code
    waiting.callback({ auth: waiting.auth, redirectUrl: waiting.redirectUrl })
    return
  }
  waiting.errCb({ authId: waiting.auth.name, source: 'auth', level: 'error', message: `The provider refused: ${answer.get('error_description') ?? answer.get('error') ?? 'no reason given'}` })
}
