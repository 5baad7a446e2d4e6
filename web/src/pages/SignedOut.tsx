// What this is, and one button.
import { Alert, Anchor, Button, Text, Title } from '@mantine/core'
import { useEffect } from 'react'
import { signInAt } from '../api/session'
import type { Session } from '../api/wire'
import { LockIcon } from '../shell/icons'
import mark from '../shell/mark.svg'
import { useHere } from '../shell/route'
import { refusalOf } from './refusal'

export function SignedOut({ session }: { session: Session }) {
  const here = useHere()
  const refusal = refusalOf(here.searchParams)
  const back = new URL(here)
  for (const name of ['error', 'error_description', 'request_id', 'advice']) back.searchParams.delete(name)
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
        <div>
          <Button component="a" href={signInAt(back.pathname + back.search)} size="md" leftSection={<LockIcon />}>
            Sign in{session.provider?.name ? ` with ${session.provider.name}` : ''}
          </Button>
        </div>
        <ul>
          <li>Your password stays with {session.provider?.name ?? 'your identity provider'}; this server never sees it.</li>
          <li>This browser gets a cookie that no script can read, and no token.</li>
        </ul>
        <nav aria-label="Without signing in">
          <Anchor href="/api/docs">REST API</Anchor>
        </nav>
      </main>
    </div>
  )
}
