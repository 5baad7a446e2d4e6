// What a sign-in that came to nothing says in words. The server sends people back here with a code of OAuth, or its own.

export type Refusal = { title: string; detail: string; advice?: string }

const later = 'Try again in a minute. What runs on this server goes on.'

const known: Record<string, Refusal> = {
  access_denied: { title: 'You were not signed in', detail: 'The provider says that you, or an administrator, did not allow it.', advice: 'Try again and agree; where an administrator has to, ask them.' },
  consent_required: { title: 'Somebody has to agree first', detail: 'The provider wants consent for this program.', advice: 'Ask an administrator of your organization to agree for it.' },
  login_required: { title: 'You were not signed in', detail: 'Your sign-in at the provider has ended.', advice: 'Sign in again.' },
  interaction_required: { title: 'The provider wants to ask you something', detail: 'It could not sign you in by itself.', advice: 'Sign in again.' },
  temporarily_unavailable: { title: 'The provider is not there', detail: 'It cannot be reached, or is busy.', advice: later },
  server_error: { title: 'The provider failed', detail: 'It says that it made a mistake.', advice: later },
  invalid_scope: { title: 'The provider does not know that permission', detail: 'It was asked for something that it cannot give.', advice: 'Ask who runs this server to look at its scopes.' },
  unauthorized_client: { title: 'The provider does not let this server ask', detail: 'This server is not set up there as it should be.', advice: 'Ask who runs this server to look at console.client_id and its redirect URI.' },
  invalid_client: { title: 'The provider does not know this server', detail: 'Its client id or its secret is not right.', advice: 'Ask who runs this server to look at console.client_id and console.client_secret.' },
  invalid_grant: { title: 'That sign-in was over before it was used', detail: 'The provider does not take its own answer any more.', advice: 'Sign in again.' },
  provider_refused: { title: 'You were not signed in', detail: 'The provider refused, without a reason that can be shown.', advice: 'Try again.' },
  provider_unavailable: { title: 'The provider cannot be reached', detail: 'This server could not talk to it.', advice: later },
  store_unavailable: { title: 'The server cannot keep your sign-in', detail: 'What it keeps of sessions cannot be reached.', advice: 'Try again in a minute.' },
  sign_in_expired: { title: 'That sign-in is over', detail: 'It took more than ten minutes, or was finished before.', advice: 'Sign in again.' },
  another_browser: { title: 'That sign-in was begun in another browser', detail: 'It can be finished only where it was begun.', advice: 'Sign in again from this page.' },
  invalid_response: { title: 'The answer of the provider cannot be read', detail: 'Something is missing in it, or stands there twice.', advice: 'Sign in again from this page.' },
  wrong_issuer: { title: 'Somebody else answered', detail: 'The answer is not from the provider that was asked, so it was not used.', advice: 'Sign in again from this page, and tell who runs this server.' },
  invalid_id_token: { title: 'The provider’s word was not accepted', detail: 'What it says of you could not be verified.', advice: 'Sign in again; if it happens again, tell who runs this server.' },
  not_admitted: { title: 'You are not let in here', detail: 'The provider knows you, but what it says of you does not fit this server.', advice: 'Another account may fit. Otherwise ask who runs this server.' },
}

/** Reads what stands in the address. Only a code is taken from there: words of strangers are not shown as ours. */
export function refusalOf(query: URLSearchParams): Refusal | undefined {
  const code = query.get('sign_in_error')
  if (!code) return undefined
  return (
    known[code] ?? { title: 'You were not signed in', detail: `The sign-in came to nothing (${/^[a-z0-9_]{1,64}$/.test(code) ? code : 'for an unknown reason'}).`, advice: 'Try again.' }
  )
}
