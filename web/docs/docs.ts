// The page that explains the REST API: Swagger UI, from this origin alone, asked to keep nothing.
import SwaggerUI from 'swagger-ui-dist/swagger-ui-es-bundle.js'
import 'swagger-ui-dist/swagger-ui.css'
import './docs.css'

type Session = { csrf?: string; client_id?: string; scopes?: string[] }
type Request = { url: string; method?: string; headers: Record<string, string> }

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
    const own = new URL(request.url, location.href).origin === location.origin
    const safe = /^(GET|HEAD|OPTIONS)$/i.test(request.method ?? 'GET')
    if (own && !safe && session.csrf && !request.headers['Authorization']) request.headers['X-CSRF-Token'] = session.csrf
    return request
  },
})
ui.initOAuth({ clientId: session.client_id, scopes: session.scopes ?? [], usePkceWithAuthorizationCodeGrant: true })
