// How a person likes to see things. It is kept in this browser, and holds nothing of who they are.
import { useSyncExternalStore } from 'react'

export type Preferences = { motion: 'system' | 'less'; plain: boolean }

const key = 'fastmcp-auth preferences'
const standard: Preferences = { motion: 'system', plain: false }

let held = read()
const listeners = new Set<() => void>()

function read(): Preferences {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Preferences>
    return { motion: kept.motion === 'less' ? 'less' : 'system', plain: kept.plain === true }
  } catch {
    return standard
  }
}

export function prefer(change: Partial<Preferences>): void {
  held = { ...held, ...change }
  try {
    localStorage.setItem(key, JSON.stringify(held))
  } catch {
    // A browser that keeps nothing still obeys until the page is left.
  }
  listeners.forEach((listener) => listener())
}

window.addEventListener('storage', (event) => {
  if (event.key !== key) return
  held = read()
  listeners.forEach((listener) => listener())
})

export const usePreferences = (): Preferences =>
  useSyncExternalStore(
    (listener) => (listeners.add(listener), () => listeners.delete(listener)),
    () => held,
  )
