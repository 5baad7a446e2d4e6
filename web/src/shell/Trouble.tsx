// What a refusal means to a person, and what they can do.
import { Alert, Button, Code, Group, Text } from '@mantine/core'
import { Problem } from '../api/http'

const advice: Record<string, string> = {
  unreachable: 'The console tries again by itself where it can.',
  busy: 'As many calls run as may run at a time. Cancel one, or wait until one has ended.',
  rate_limited: 'Wait a moment and try again.',
  shutting_down: 'The server is being restarted. Try again in a moment.',
  store_unavailable: 'Nothing was lost on your side. Try again in a moment.',
  not_recorded: 'The server keeps a record of every call and cannot write it just now, so it lets nothing through.',
  denied: 'The policy of this server does not let you. Ask who runs it.',
  session_expired: 'Sign in again; what you filled in is still here.',
}

export function Trouble({ error, title, again }: { error: unknown; title: string; again?: () => void }) {
  const problem = error instanceof Problem ? error : undefined
  const text = error instanceof Error ? error.message : String(error)
  const advised = problem ? advice[problem.code] : undefined
  return (
    <Alert color="red" variant="light" role="alert" title={title}>
      <Text size="sm">{text}</Text>
      {advised ? <Text size="sm" mt={4}>{advised}</Text> : null}
      {problem?.document.request_id ? (
        <Text size="sm" mt={4}>
          If you ask for help, name the request: <Code>{problem.document.request_id}</Code>
        </Text>
      ) : null}
      {again ? (
        <Group mt="sm">
          <Button size="xs" variant="default" onClick={again}>
            Try again
          </Button>
        </Group>
      ) : null}
    </Alert>
  )
}
