// What a tool returned: its structure, or its texts, images and links. None of it is taken for a page: text stays text.
import { Alert, Anchor, Stack, Text } from '@mantine/core'
import type { Content, Contents, Json, Result } from '../api/wire'
import { Copy } from '../shell/Copy'
import { Link } from '../shell/Link'

export function ResultView({ result }: { result: Result }) {
  const content = (result.content ?? []).filter((one) => !repeats(one, result.structuredContent))
  const raw = JSON.stringify(result, null, 2)
  const body = (
    <Stack gap="sm">
      {result.structuredContent !== undefined ? <Structure value={result.structuredContent} /> : null}
      {content.map((one, i) => (
        <One key={i} content={one} />
      ))}
      {content.length === 0 && result.structuredContent === undefined ? <Text c="dimmed">It returned nothing.</Text> : null}
    </Stack>
  )
  return (
    <section aria-label="Result">
      {result.isError ? (
        <Alert color="red" variant="light" title="The tool could not do it">
          {body}
        </Alert>
      ) : (
        body
      )}
      <details className="more">
        <summary>As JSON</summary>
        <Stack gap="xs">
          <div>
            <Copy text={raw} what="the result" />
          </div>
          <pre className="code" tabIndex={0}>
            {raw}
          </pre>
        </Stack>
      </details>
    </section>
  )
}

/** Whether a text is the structure once more, for clients that know no structures. */
function repeats(content: Content, structure: Json | undefined): boolean {
  if (structure === undefined || content.type !== 'text') return false
  try {
    return sorted(JSON.parse(content.text) as Json) === sorted(structure)
  } catch {
    return false
  }
}

const sorted = (value: Json): string =>
  JSON.stringify(value, (_, one: Json) => (typeof one === 'object' && one !== null && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one))

function One({ content }: { content: Content }) {
  switch (content.type) {
    case 'text':
      return <pre className="code" tabIndex={0}>{content.text}</pre>
    case 'image':
      return shows(content.mimeType, 'image/') ? <img src={`data:${content.mimeType};base64,${content.data}`} alt="What the tool returned" /> : <Unknown type={content.mimeType} />
    case 'audio':
      return shows(content.mimeType, 'audio/') ? <audio controls src={`data:${content.mimeType};base64,${content.data}`} aria-label="What the tool returned" /> : <Unknown type={content.mimeType} />
    case 'resource_link':
      return (
        <div>
          <Text fw={600}>{content.title || content.name || content.uri}</Text>
          {content.description ? <Text size="sm" c="dimmed">{content.description}</Text> : null}
          <Uri uri={content.uri} />
        </div>
      )
    case 'resource':
      return <ContentsView contents={content.resource} />
    default:
      return <Unknown type={(content as { type?: string }).type ?? ''} />
  }
}

/** Contents of a resource. */
export function ContentsView({ contents }: { contents: Contents }) {
  if (contents.text !== undefined) {
    const json = /[/+]json\b/.test(contents.mimeType ?? '')
    return <pre className="code" tabIndex={0}>{json ? pretty(contents.text) : contents.text}</pre>
  }
  if (contents.blob !== undefined && shows(contents.mimeType ?? '', 'image/')) return <img src={`data:${contents.mimeType};base64,${contents.blob}`} alt={contents.uri} />
  return <Unknown type={contents.mimeType ?? ''} />
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

const shows = (type: string, kind: string): boolean => type.startsWith(kind) && /^[a-z]+\/[a-z0-9.+-]+$/i.test(type)

const Unknown = ({ type }: { type: string }) => <Text c="dimmed" size="sm">It holds something that cannot be shown here{type ? ` (${type})` : ''}.</Text>

/** A link leads out of here only over the web; every other one is something to read at this server. */
export function Uri({ uri }: { uri: string }) {
  if (/^https?:\/\//i.test(uri)) {
    return (
      <Anchor href={uri} target="_blank" rel="noopener noreferrer" className="wrap">
        {uri} (leaves this page)
      </Anchor>
    )
  }
  return (
    <Link to={`/resources?${new URLSearchParams({ uri })}`} className="wrap">
      {uri}
    </Link>
  )
}

/** A value as names beside what they name. */
export function Structure({ value, depth = 0 }: { value: Json; depth?: number }) {
  if (value === null || value === undefined) return <span>null</span>
  if (typeof value !== 'object') return <span>{String(value)}</span>
  if (depth > 8) return <code>{JSON.stringify(value)}</code>
  if (Array.isArray(value)) {
    if (value.length === 0) return <span>none</span>
    return (
      <ol>
        {value.map((one, i) => (
          <li key={i}>
            <Structure value={one} depth={depth + 1} />
          </li>
        ))}
      </ol>
    )
  }
  return (
    <dl className="structure">
      {Object.entries(value).map(([name, one]) => (
        <Pair key={name} name={name} value={one} depth={depth} />
      ))}
    </dl>
  )
}

const Pair = ({ name, value, depth }: { name: string; value: Json; depth: number }) => (
  <>
    <dt>{name}</dt>
    <dd>
      <Structure value={value} depth={depth + 1} />
    </dd>
  </>
)
