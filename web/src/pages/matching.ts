// Which tools a person means.
import type { Tool } from '../api/wire'

export const titleOf = (tool: Tool): string => tool.title || tool.annotations?.title || tool.name

/** Those that have every word somewhere. */
export function matching(tools: Tool[], words: string): Tool[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  return tools.filter((tool) => {
    const text = `${tool.name} ${titleOf(tool)} ${tool.description ?? ''}`.toLowerCase()
    return wanted.every((word) => text.includes(word))
  })
}
