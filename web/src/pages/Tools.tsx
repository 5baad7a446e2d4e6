// The tools that are for this person, to be found by any word of theirs.
import { Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { toolsQuery } from '../api/offers'
import { Marks } from './Marks'
import { matching, titleOf } from './matching'
import { follow } from '../shell/Link'
import { Page } from '../shell/Page'
import { go, useHere } from '../shell/route'
import { Trouble } from '../shell/Trouble'

export function Tools() {
  const tools = useQuery(toolsQuery)
  const here = useHere()
  const words = here.searchParams.get('q') ?? ''
  const found = useMemo(() => matching(tools.data ?? [], words), [tools.data, words])
  const search = (text: string) => go('/tools' + (text ? `?${new URLSearchParams({ q: text })}` : ''), true)
  return (
    <Page title="Tools" lead="Choose one to call it. You see those that the policy of this server leaves to you.">
      <TextInput type="search" label="Find a tool" placeholder="A name, or a word of what it does" value={words} onChange={(event) => search(event.currentTarget.value)} maw="26rem" />
      <span className="hidden" role="status">
        {tools.data ? `${found.length} of ${tools.data.length} tools` : ''}
      </span>
      {tools.error ? <Trouble error={tools.error} title="The tools cannot be listed" again={() => void tools.refetch()} /> : null}
      <ul className="list wide">
        {found.map((tool) => (
          <li key={tool.name}>
            <a className="offer" href={`/tools/${encodeURIComponent(tool.name)}`} onClick={follow}>
              <strong>{titleOf(tool)}</strong>
              <span className="name">{tool.name}</span>
              {tool.description ? <p>{tool.description}</p> : null}
              <Marks tool={tool} />
            </a>
          </li>
        ))}
      </ul>
      {tools.data && found.length === 0 ? <Text c="dimmed">{tools.data.length === 0 ? 'There is no tool for you here.' : `No tool has “${words}” in its name or description.`}</Text> : null}
    </Page>
  )
}
