import { Button } from '@mantine/core'
import { useState } from 'react'

/** A button that copies a text and says so. */
export function Copy({ text, what }: { text: string; what: string }) {
  const [done, setDone] = useState<'yes' | 'no'>()
  const copy = () => {
    void navigator.clipboard
      ?.writeText(text)
      .then(() => setDone('yes'))
      .catch(() => setDone('no'))
    if (!navigator.clipboard) setDone('no')
  }
  return (
    <Button size="compact-sm" variant="default" onClick={copy} onBlur={() => setDone(undefined)}>
      {done === 'yes' ? 'Copied' : done === 'no' ? 'Select it and copy by hand' : 'Copy'}
      <span className="hidden"> {what}</span>
      <span className="hidden" role="status">{done === 'yes' ? 'Copied' : ''}</span>
    </Button>
  )
}
