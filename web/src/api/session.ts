// Who is signed in. The browser holds a cookie that no script can read; signing in and out is the server's work.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef } from 'react'
import { ask, proveBy, whenSignedOut } from './http'
import { follow } from './stream'
import { hear, holding, tell } from './tabs'
import type { Session } from './wire'

export const sessionKey = ['session'] as const

async function fetchSession(): Promise<Session> {
  const session = await ask<Session>('/console/session')
  proveBy(session.csrf)
  return session
}

export const useSession = () => useQuery({ queryKey: sessionKey, queryFn: fetchSession, staleTime: 60_000, refetchOnWindowFocus: true })

/** Forgets what the last person could see, as soon as it is another or nobody. The other tabs hear of it too. */
export function useOnePersonAtATime(session: Session | undefined): void {
  const client = useQueryClient()
  const who = session === undefined ? undefined : session.signed_in ? `${session.identity?.issuer} ${session.identity?.subject}` : ''
  const last = useRef<string>(undefined)
  useEffect(() => {
    if (who === undefined || who === last.current) return
    if (last.current !== undefined) client.removeQueries({ predicate: (query) => query.queryKey[0] !== 'session' })
    last.current = who
    tell({ about: 'session' })
  }, [client, who])
}

/** Hears from the server, and from other tabs, that the session has ended or changed. One tab listens for all. */
export function useSessionNews(active: boolean): void {
  const client = useQueryClient()
  useEffect(() => {
    whenSignedOut(() => void client.invalidateQueries({ queryKey: sessionKey }))
    return hear((news) => {
      if (news.about === 'session') void client.invalidateQueries({ queryKey: sessionKey })
    })
  }, [client])
  useEffect(() => {
    if (!active) return
    const leave = new AbortController()
    void holding('fastmcp-auth session', leave.signal, true, () =>
      follow({
        path: '/console/events',
        signal: leave.signal,
        onMessage: ({ event }) => {
          if (event === 'session') {
            tell({ about: 'session' })
            void client.invalidateQueries({ queryKey: sessionKey })
          }
          return 'more'
        },
      }),
    ).catch(() => {}) // the next request that is refused tells as much
    return () => leave.abort()
  }, [active, client])
}

/** Where signing in begins. Naming scopes asks for those besides. */
export function signInAt(returnTo: string, scopes: string[] = []): string {
  const query = new URLSearchParams({ return_to: returnTo })
  if (scopes.length > 0) query.set('scope', scopes.join(' '))
  return `/console/sign-in?${query}`
}

/** Signs out, and goes where the provider ends its session too. */
export async function signOut(everywhere: boolean): Promise<void> {
  const answer = await ask<{ redirect_to?: string }>(`/console/sign-out${everywhere ? '?everywhere=1' : ''}`, { method: 'POST' })
  tell({ about: 'session' })
  location.assign(answer?.redirect_to || '/')
}
