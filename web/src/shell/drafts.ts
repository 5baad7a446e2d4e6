// What was being filled in when the person had to leave for the provider, so that they come back to it. It stays in this
// tab and is forgotten once it was taken up.
const key = (tool: string) => `fastmcp-auth draft ${tool}`

export function keepDraft(tool: string, draft: unknown): void {
  try {
    sessionStorage.setItem(key(tool), JSON.stringify(draft))
  } catch {
    // Then the form will be empty.
  }
}

/** Reads a draft and leaves it: a page may be drawn more than once before it is shown. */
export function readDraft<T>(tool: string): T | undefined {
  try {
    const kept = sessionStorage.getItem(key(tool))
    return kept === null ? undefined : (JSON.parse(kept) as T)
  } catch {
    return undefined
  }
}

export function dropDraft(tool: string): void {
  try {
    sessionStorage.removeItem(key(tool))
  } catch {
    // There is none.
  }
}
