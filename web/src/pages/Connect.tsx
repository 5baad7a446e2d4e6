// How other clients reach the same tools, ready to copy.
import { Code, Text, Title } from '@mantine/core'
import type { Session } from '../api/wire'
import { Copy } from '../shell/Copy'
import { Page } from '../shell/Page'
import { clients } from './clients'

export default function Connect({ session }: { session: Session }) {
  const url = session.mcp_url || `${location.origin}/mcp`
  return (
    <Page title="Connect a client" lead={<>Every client that speaks MCP reaches the same tools at one address, and signs in by itself.</>}>
      <div className="panel">
        <Title order={2}>The address</Title>
        <Ready text={url} what="the address" />
        {session.client_id ? (
          <Text size="sm" mt="sm" c="dimmed">
            A client that asks for a client id takes <Code>{session.client_id}</Code>.
          </Text>
        ) : null}
      </div>
      <div className="list">
        {clients(url, session.client_id).map(({ name, how, text }) => (
          <section className="panel" key={name} aria-label={name}>
            <Title order={2}>{name}</Title>
            <Text size="sm" c="dimmed" mb="sm">
              {how}
            </Text>
            <Ready text={text} what={`what ${name} takes`} />
          </section>
        ))}
      </div>
    </Page>
  )
}

const Ready = ({ text, what }: { text: string; what: string }) => (
  <>
    <pre className="code ready" tabIndex={0} aria-label={what}>
      {text}
    </pre>
    <div className="copy">
      <Copy text={text} what={what} />
    </div>
  </>
)
