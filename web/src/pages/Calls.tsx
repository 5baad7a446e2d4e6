// What was called, the newest first. The server keeps it for a day.
import { Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { toolsQuery } from '../api/offers'
import { CallCard } from '../calls/CallCard'
import { callQuery, callsQuery } from '../calls/calls'
import { Link } from '../shell/Link'
import { Page } from '../shell/Page'
import { Trouble } from '../shell/Trouble'
import { titleOf } from './matching'

export default function Calls({ only }: { only?: string | undefined }) {
  return only ? <Single id={only} /> : <All />
}

function useTitles(): (tool: string) => string {
  const tools = useQuery(toolsQuery)
  const titles = useMemo(() => new Map(tools.data?.map((tool) => [tool.name, titleOf(tool)])), [tools.data])
  return (tool) => titles.get(tool) ?? tool
}

function All() {
  const calls = useQuery(callsQuery)
  const title = useTitles()
  return (
    <Page title="Calls" lead="They run on the server: close this page, and find them here when you come back. Only you see them, for a day.">
      {calls.error ? <Trouble error={calls.error} title="The calls cannot be listed" again={() => void calls.refetch()} /> : null}
      {calls.data?.length === 0 ? (
        <Text>
          Nothing was called yet. <Link to="/tools">Choose a tool</Link>
        </Text>
      ) : null}
      <div className="list">
        {calls.data?.map((call) => (
          <CallCard key={call.id} seen={call} title={title(call.tool)} />
        ))}
      </div>
    </Page>
  )
}

function Single({ id }: { id: string }) {
  const call = useQuery(callQuery(id))
  const title = useTitles()
  return (
    <Page title="A call" lead={<Link to="/calls">All calls</Link>}>
      {call.error ? <Trouble error={call.error} title="The call cannot be shown" again={() => void call.refetch()} /> : null}
      {call.data ? <CallCard seen={call.data} title={title(call.data.tool)} opened /> : null}
    </Page>
  )
}
