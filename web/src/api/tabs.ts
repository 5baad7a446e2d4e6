// The tabs of one browser agree: what one learns, it tells the others, and together they hold few connections open, since
// a browser allows six to a server over HTTP/1.1.

export type News = { about: 'session' } | { about: 'calls' } | { about: 'call'; id: string }

const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('fastmcp-auth')

/** Tells the other tabs. */
export const tell = (news: News): void => channel?.postMessage(news)

/** Hears what other tabs tell, until the returned function is called. */
export function hear(heard: (news: News) => void): () => void {
  const listener = (event: MessageEvent<News>) => heard(event.data)
  channel?.addEventListener('message', listener)
  return () => channel?.removeEventListener('message', listener)
}

/** Runs work while this tab, of all tabs, holds a place of that name. Without one it returns 'taken' at once, or waits for
 * one where patient. */
export async function holding(name: string, signal: AbortSignal, patient: boolean, work: () => Promise<void>): Promise<'held' | 'taken'> {
  if (!('locks' in navigator)) {
    await work()
    return 'held'
  }
  const options = patient ? { signal } : { ifAvailable: true }
  return navigator.locks
    .request(name, options, async (lock) => {
      if (!lock) return 'taken' as const
      await work()
      return 'held' as const
    })
    .catch((cause: unknown) => {
      if (signal.aborted) return 'taken' as const
      throw cause
    })
}
