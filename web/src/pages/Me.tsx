// Who the server takes the person for, and how long.
import { Button, Group, Stack, Text } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { signOut } from '../api/session'
import type { Session } from '../api/wire'
import { Structure } from '../calls/Result'
import { span, useNow } from '../calls/time'
import { Copy } from '../shell/Copy'
import { Page } from '../shell/Page'
import { Trouble } from '../shell/Trouble'

export default function Me({ session }: { session: Session }) {
  if (!session.signed_in) {
    return (
      <Page title="Who am I">
        <div className="panel">
          <Text>Nobody: this server runs without sign-in, and everybody who reaches it may call its tools.</Text>
          <Text mt="sm" c="dimmed">
            Calls of all who come here are one history. Start the server with a provider to have people sign in.
          </Text>
        </div>
      </Page>
    )
  }
  return <Somebody session={session} />
}

function Somebody({ session }: { session: Session }) {
  const who = session.identity
  const [claims, setClaims] = useState(false)
  const [trouble, setTrouble] = useState<unknown>()
  const leave = (everywhere: boolean) => signOut(everywhere).catch(setTrouble)
  const account = who?.object_id || who?.subject || ''
  return (
    <Page title="Who am I" lead="As the provider says, and as every tool sees you.">
      <div className="panel">
        <dl className="structure">
          <Row name="Name">{who?.name}</Row>
          <Row name="E-mail">{who?.email}</Row>
          <Row name="Username">{who?.username}</Row>
          <Row name="Account id">{account ? <Group gap="xs"><span className="code wrap">{account}</span><Copy text={account} what="the account id" /></Group> : undefined}</Row>
          <Row name="Tenant">{who?.tenant ? <span className="code wrap">{who.tenant}{who.guest ? ' (as a guest)' : ''}</span> : undefined}</Row>
          <Row name="Provider"><span className="wrap">{who?.issuer}</span></Row>
          <Row name="Permissions"><Several all={who?.scopes} none="none" /></Row>
          <Row name="Roles"><Several all={who?.roles} none="none" /></Row>
          <Row name="Groups"><Several all={who?.groups} none={who?.groups_overage ? 'more than the provider tells' : 'none'} /></Row>
          <Row name="Session">
            <Countdown until={session.expires_at} idle={session.idle_expires_at} />
          </Row>
        </dl>
      </div>
      <Group>
        <Button variant="default" onClick={() => void leave(false)}>
          Sign out
        </Button>
        <Button variant="default" onClick={() => void leave(true)}>
          Sign out everywhere
        </Button>
        {session.claims ? (
          <Button variant="subtle" aria-expanded={claims} onClick={() => setClaims(!claims)}>
            {claims ? 'Hide the claims' : 'Show the claims'}
          </Button>
        ) : null}
      </Group>
      {trouble ? <Trouble error={trouble} title="You are not signed out" /> : null}
      {claims && session.claims ? (
        <section className="panel" aria-label="Claims">
          <Stack>
            <Text size="sm" c="dimmed">What the provider says of you, word for word. The token itself never leaves the server.</Text>
            <Structure value={session.claims} />
          </Stack>
        </section>
      ) : null}
    </Page>
  )
}

const Row = ({ name, children }: { name: string; children: ReactNode }) =>
  children ? (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  ) : null

const Several = ({ all = [], none }: { all?: string[] | undefined; none: string }) =>
  all.length === 0 ? (
    <span>{none}</span>
  ) : (
    <span className="marks">
      {all.map((one) => (
        <span key={one} className="mark">
          {one}
        </span>
      ))}
    </span>
  )

function Countdown({ until, idle }: { until?: string | undefined; idle?: string | undefined }) {
  const now = useNow(true)
  if (!until) return null
  const left = (at: string) => span(Math.max(0, Date.parse(at) - now))
  return (
    <span role="timer">
      ends in {left(until)}
      {idle && Date.parse(idle) < Date.parse(until) ? `, or in ${left(idle)} if nothing is done` : ''}
    </span>
  )
}
