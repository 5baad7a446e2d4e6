import { Stack, Text, Title } from '@mantine/core'
import { useEffect, useRef, type ReactNode } from 'react'

/** A page: its title is the tab's, and is where a screen reader goes on after a change of page. */
export function Page({ title, lead, children, extra }: { title: string; lead?: ReactNode; children: ReactNode; extra?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · fastmcp-auth`
    if (moved) heading.current?.focus()
    moved = true
  }, [title])
  return (
    <Stack gap="lg">
      <div className="heading">
        <Title order={1} ref={heading} tabIndex={-1} className="title">
          {title}
        </Title>
        {extra}
      </div>
      {lead ? <Text c="dimmed" className="lead">{lead}</Text> : null}
      {children}
    </Stack>
  )
}

// The first page keeps the focus where the browser put it.
let moved = false
