// What a tool says of itself. It is a hint of whoever made it, and no promise.
import type { Tool } from '../api/wire'

export function Marks({ tool: { annotations = {}, missing_scopes: missing = [] } }: { tool: Tool }) {
  const marks: [tone: string, text: string][] = []
  if (missing.length > 0) marks.push(['asks', 'Needs another permission'])
  if (annotations.readOnlyHint) marks.push(['good', 'Only reads'])
  else if (annotations.destructiveHint) marks.push(['bad', 'May destroy'])
  if (annotations.idempotentHint && !annotations.readOnlyHint) marks.push(['', 'Twice is as once'])
  if (annotations.openWorldHint) marks.push(['', 'Reaches out'])
  return marks.length === 0 ? null : (
    <span className="marks">
      {marks.map(([tone, text]) => (
        <span key={text} className="mark" data-tone={tone}>
          {text}
        </span>
      ))}
    </span>
  )
}
