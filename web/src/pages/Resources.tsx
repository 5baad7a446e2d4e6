// What can be read here, and a reader.
import { Alert, Button, Code, Group, Stack, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Problem } from '../api/http'
import { contentsQuery, resourcesQuery } from '../api/offers'
import { signInAt } from '../api/session'
import { ContentsView } from '../calls/Result'
import { Copy } from '../shell/Copy'
import { follow } from '../shell/Link'
import { Page } from '../shell/Page'
import { useHere } from '../shell/route'
import { Trouble } from '../shell/Trouble'
import type { Resource, Session } from '../api/wire'

export default function Resources({ session }: { session: Session }) {
  const resources = useQuery(resourcesQuery)
  const uri = useHere().searchParams.get('uri')
  return (
    <Page title="Resources" lead="What this server lets you read.">
      {resources.error ? <Trouble error={resources.error} title="The resources cannot be listed" again={() => void resources.refetch()} /> : null}
      {resources.data?.length === 0 ? <Text>There is nothing to read here.</Text> : null}
      <ul className="list wide">
        {resources.data?.map((one) => (
          <li key={one.uri}>
            <a className="offer" href={`/resources?${new URLSearchParams({ uri: one.uri })}`} onClick={follow} aria-current={one.uri === uri ? 'true' : undefined}>
              <strong>{one.title || one.name}</strong>
              <span className="name">{one.uri}</span>
              {one.description ? <p>{one.description}</p> : null}
              {one.missing_scopes?.length ? (
                <span className="marks">
                  <span className="mark" data-tone="asks">
                    Needs another permission
                  </span>
                </span>
              ) : null}
            </a>
          </li>
        ))}
      </ul>
      {uri ? <Reader key={uri} uri={uri} resource={resources.data?.find((one) => one.uri === uri)} session={session} /> : null}
    </Page>
  )
}

function Reader({ uri, resource, session }: { uri: string; resource: Resource | undefined; session: Session }) {
  const read = useQuery({ ...contentsQuery(uri), retry: false })
  const missing = read.error instanceof Problem && read.error.code === 'insufficient_scope' ? (read.error.document.scopes ?? []) : []
  return (
    <section className="panel" aria-labelledby="reader" aria-busy={read.isFetching}>
      <Group justify="space-between" mb="md" wrap="nowrap">
        <Title order={2} id="reader" className="wrap">
          {resource?.title || resource?.name || uri}
        </Title>
        <Button size="compact-sm" variant="default" style={{ flexShrink: 0 }} loading={read.isFetching} onClick={() => void read.refetch()}>
          Read again
        </Button>
      </Group>
      {missing.length > 0 && session.mode === 'sign-in' ? (
        <Alert color="yellow" variant="light" title="This needs another permission">
          <Text size="sm">
            It is for those who have <Code>{missing.join(' ')}</Code>.
          </Text>
          <Button mt="sm" size="xs" component="a" href={signInAt(`/resources?${new URLSearchParams({ uri })}`, missing)}>
            Ask for it and come back
          </Button>
        </Alert>
      ) : read.error ? (
        <Trouble error={read.error} title="It cannot be read" again={() => void read.refetch()} />
      ) : null}
      <Stack>
        {read.data?.map((contents, i) => (
          <Stack key={i} gap="xs">
            <Group gap="sm">
              {contents.mimeType ? <Code>{contents.mimeType}</Code> : null}
              {contents.text !== undefined ? <Copy text={contents.text} what="the contents" /> : null}
            </Group>
            <ContentsView contents={contents} />
          </Stack>
        ))}
      </Stack>
    </section>
  )
}
