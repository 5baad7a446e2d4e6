// The frame around every page, and which page it is.
import { Button, Loader } from '@mantine/core'
import { lazy, Suspense, useEffect, useRef, useState } from 'react'
import { signOut, useOnePersonAtATime, useSession, useSessionNews } from '../api/session'
import { useCallNews } from '../calls/calls'
import { SignedOut } from '../pages/SignedOut'
import { Tools } from '../pages/Tools'
import type { Session } from '../api/wire'
import { BookIcon, CallsIcon, DocsIcon, GearIcon, LeaveIcon, MenuIcon, PersonIcon, PlugIcon, ToolIcon } from './icons'
import { follow } from './Link'
import mark from './mark.svg'
import { Page } from './Page'
import { usePreferences } from './preferences'
import { useHere } from './route'
import { Trouble } from './Trouble'

const Tool = lazy(() => import('../pages/Tool'))
const Calls = lazy(() => import('../pages/Calls'))
const Resources = lazy(() => import('../pages/Resources'))
const Me = lazy(() => import('../pages/Me'))
const Connect = lazy(() => import('../pages/Connect'))
const Settings = lazy(() => import('../pages/Settings'))

const places = [
  { to: '/tools', label: 'Tools', Icon: ToolIcon },
  { to: '/calls', label: 'Calls', Icon: CallsIcon },
  { to: '/resources', label: 'Resources', Icon: BookIcon },
  { to: '/me', label: 'Who am I', Icon: PersonIcon },
  { to: '/connect', label: 'Connect a client', Icon: PlugIcon },
  { to: '/settings', label: 'Settings', Icon: GearIcon },
]

export function App() {
  const session = useSession()
  const { motion, plain } = usePreferences()
  const inside = session.data !== undefined && (session.data.signed_in || session.data.mode === 'open')
  const wasIn = useRef(false)
  if (session.data?.signed_in) wasIn.current = true
  useSessionNews(session.data?.signed_in === true)
  useOnePersonAtATime(session.data)
  useCallNews()
  useEffect(() => {
    document.documentElement.toggleAttribute('data-less-motion', motion === 'less' || plain)
    document.documentElement.toggleAttribute('data-plain', plain)
  }, [motion, plain])
  if (session.isPending) return <Waiting />
  if (!session.data) return <main id="main" className="narrow"><Trouble error={session.error} title="The console cannot start" again={() => void session.refetch()} /></main>
  if (!inside) return <SignedOut session={session.data} ended={wasIn.current} />
  return <Inside session={session.data} />
}

const Waiting = () => (
  <div className="waiting" role="status">
    <Loader aria-hidden />
    <span className="hidden">Loading</span>
  </div>
)

function Inside({ session }: { session: Session }) {
  const here = useHere()
  const [open, setOpen] = useState(false)
  useEffect(() => setOpen(false), [here.pathname])
  return (
    <div className="frame">
      <a className="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus() }}>
        Skip to the page
      </a>
      <header className="bar">
        <a className="brand" href="/" onClick={follow}>
          <img src={mark} alt="" width="28" height="28" />
          <span>fastmcp-auth</span>
        </a>
        <Who session={session} />
        <Button className="burger" variant="subtle" size="compact-md" aria-expanded={open} aria-controls="places" onClick={() => setOpen(!open)} leftSection={<MenuIcon />}>
          Menu
        </Button>
      </header>
      <nav id="places" className="places" data-open={open || undefined} aria-label="Pages">
        <ul>
          {places.map(({ to, label, Icon }) => (
            <li key={to}>
              <a href={to} onClick={follow} aria-current={isAt(here.pathname, to) ? 'page' : undefined}>
                <Icon />
                {label}
              </a>
            </li>
          ))}
          <li className="apart">
            <a href="/api/docs">
              <DocsIcon />
              REST API
            </a>
          </li>
          {session.signed_in ? (
            <li>
              <button type="button" onClick={() => void signOut(false)}>
                <LeaveIcon />
                Sign out
              </button>
            </li>
          ) : null}
        </ul>
      </nav>
      <main id="main" tabIndex={-1} className="main">
        <Suspense fallback={<Waiting />}>
          <Which path={here.pathname} session={session} />
        </Suspense>
      </main>
    </div>
  )
}

const isAt = (path: string, place: string): boolean => path === place || path.startsWith(place + '/') || (path === '/' && place === '/tools')

function Which({ path, session }: { path: string; session: Session }) {
  const [, first, second] = path.split('/').map(decodeURIComponent)
  switch (first) {
    case '':
    case undefined:
      return <Tools />
    case 'tools':
      return second ? <Tool key={second} name={second} session={session} /> : <Tools />
    case 'calls':
      return <Calls only={second} />
    case 'resources':
      return <Resources session={session} />
    case 'me':
      return <Me session={session} />
    case 'connect':
      return <Connect session={session} />
    case 'settings':
      return <Settings />
  }
  return <Page title="There is no such page">The menu names those there are.</Page>
}

function Who({ session }: { session: Session }) {
  if (!session.signed_in) return <span className="who">Open: nobody signs in</span>
  const { name, username, email } = session.identity ?? {}
  return (
    <a className="who" href="/me" onClick={follow}>
      {name || username || email || 'Signed in'}
    </a>
  )
}
