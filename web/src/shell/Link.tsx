import { Anchor, type AnchorProps } from '@mantine/core'
import type { MouseEvent, ReactNode } from 'react'
import { go } from './route'

/** Takes a plain click on a link; every other kind, such as into a tab, is the browser's. */
export function follow(event: MouseEvent<HTMLAnchorElement>): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  go(event.currentTarget.pathname + event.currentTarget.search)
}

export const Link = ({ to, children, ...rest }: AnchorProps & { to: string; children: ReactNode }) => (
  <Anchor href={to} onClick={follow} {...rest}>
    {children}
  </Anchor>
)
