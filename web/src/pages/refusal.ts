// What a sign-in that came to nothing says in words. The server sends people back here with a code of OAuth, or its own.

export type Refusal = { title: string; detail: string; advice?: string }

const known: Record<string, Refusal> = {
  access_denied: { title: 'You were not signed in', detail: 'The provider says that you, or an administrator, did not allow it.', advice: 'Try again and agree; where an administrator has to, ask them.' },
  consent_required: { title: 'Somebody has to agree first', detail: 'The provider wants consent for this program.', advice: 'Ask an administrator of your organization to agree for it.' },
  login_required: { title: 'You were not signed in', detail: 'Your sign-in at the provider has ended.', advice: 'Sign in again.' },
  interaction_required: { title: 'The provider wants to ask you something', detail: 'It could not sign you in by itself.', advice: 'Sign in again.' },
  temporarily_unavailable: { title: 'The provider is not there', detail: 'It cannot be reached, or is busy.', advice: 'Try again in a minute. What runs on this server goes on.' },
  server_error: { title: 'The provider failed', detail: 'It says that it made a mistake.', advice: 'Try again in a minute.' },
  provider_unreachable: { title: 'The provider cannot be reached', detail: 'This server could not talk to it.', advice: 'Try again in a minute. What runs on this server goes on.' },
  invalid_state: { title: 'That sign-in was not begun here', detail: 'It was begun in another browser, was finished before, or took too long.', advice: 'Sign in again from this page.' },
  expired: { title: 'That took too long', detail: 'A sign-in has to be finished within some minutes.', advice: 'Sign in again.' },
  session_expired: { title: 'Your session has ended', detail: 'You were not here for a while, or were signed out elsewhere.', advice: 'Sign in again; you come back to this page.' },
}

/** Reads what stands in the address. Only a code is taken from there: words of strangers are not shown as ours. */
export function refusalOf(query: URLSearchParams): Refusal | undefined {
  const code = query.get('error')
  if (!code) return undefined
  const refusal = known[code] ?? { title: 'You were not signed in', detail: `The sign-in came to nothing (${/^[a-z_]{1,64}$/.test(code) ? code : 'for an unknown reason'}).`, advice: 'Try again.' }
  const request = query.get('request_id')
  return request && /^[A-Za-z0-9_-]{1,64}$/.test(request) ? { ...refusal, advice: `${refusal.advice ?? ''} If you ask for help, name the request ${request}.`.trim() } : refusal
}
