// Where the person is. A path is all there is to it, so that each page can be linked to, opened in a tab and gone back to.
import { useSyncExternalStore } from 'react'

const listeners = new Set<() => void>()
const changed = () => listeners.forEach((listener) => listener())

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  window.addEventListener('popstate', listener)
  return () => {
    listeners.delete(listener)
    window.removeEventListener('popstate', listener)
  }
}

/** Goes to a page of the console. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to)
  else history.pushState(null, '', to)
  changed()
}

export const useHere = (): URL => new URL(useSyncExternalStore(subscribe, () => location.href))
