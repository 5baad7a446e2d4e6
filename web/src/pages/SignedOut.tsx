// What this is, and one button.
import { Alert, Anchor, Button, Code, Text, Title } from '@mantine/core'
import { useEffect } from 'react'
import { signInAt } from '../api/session'
import type { Session } from '../api/wire'
import { LockIcon } from '../shell/icons'
import mark from '../shell/mark.svg'
import { useHere } from '../shell/route'
import { refusalOf } from './refusal'

export function SignedOut({ session, ended }: { session: Session; ended: boolean }) {
  const here = useHere()
  const provider = session.provider ? (providers[session.provider.name] ?? hostOf(session.provider.issuer)) : undefined
  const refusal = refusalOf(here.searchParams)
  const back = new URL(here)
  for (const name of ['sign_in_error', 'signed_out']) back.searchParams.delete(name)
  useEffect(() => {
    document.title = 'Sign in · fastmcp-auth'
  }, [])
  return (
    <div className="front">
      <main id="main">
        <img src={mark} alt="" width="56" height="56" />
        <Title order={1}>Tools, behind your sign-in</Title>
        <Text>
          This server has tools that people and programs call. Sign in to see those that are for you, to call them, and to watch them work.
        </Text>
        {refusal ? (
          <Alert color="red" variant="light" role="alert" title={refusal.title}>
            <Text size="sm">{refusal.detail}</Text>
            {refusal.advice ? <Text size="sm" mt={6}>{refusal.advice}</Text> : null}
          </Alert>
        ) : null}
        {!refusal && here.searchParams.has('signed_out') ? <Text role="status">You are signed out.</Text> : null}
        {!refusal && ended ? (
          <Alert color="yellow" variant="light" role="alert" title="Your session has ended">
            <Text size="sm">You were not here for a while, or signed out elsewhere. Calls that run go on, and what you filled in is kept in this tab.</Text>
          </Alert>
        ) : null}
        {session.mode === 'unset' ? (
          <Alert color="yellow" variant="light" title="Nobody can sign in to this console yet">
            <Text size="sm">
              It needs a client at the identity provider to sign in as. Whoever runs this server makes one there, with the redirect URI <Code>{session.unset?.redirect_uri}</Code>, and names it by the setting{' '}
              <Code>{session.unset?.setting}</Code>.
            </Text>
            <Text size="sm" mt={6}>
              Other clients sign in by themselves at <Code>{session.mcp_url}</Code>.
            </Text>
          </Alert>
        ) : null}
        <div hidden={session.mode === 'unset'}>
          <Button component="a" href={signInAt(back.pathname + back.search)} size="md" leftSection={<LockIcon />}>
            Sign in{provider ? ` with ${provider}` : ''}
          </Button>
        </div>
        <ul>
          <li>Your password stays with {provider ?? 'your identity provider'}; this server never sees it.</li>
          <li>This browser gets a cookie that no script can read, and no token.</li>
        </ul>
        <nav aria-label="Without signing in">
          <Anchor href="/api/docs">REST API</Anchor>
        </nav>
      </main>
    </div>
  )
}

// The names that people know the providers by.
export const providers: Record<string, string> = { entra: 'Microsoft', google: 'Google', okta: 'Okta', auth0: 'Auth0', keycloak: 'Keycloak', dev: 'the development provider' }

function hostOf(issuer: string): string | undefined {
  try {
    return new URL(issuer).host
  } catch {
    return undefined
  }
}
