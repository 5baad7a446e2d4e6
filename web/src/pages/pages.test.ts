import { describe, expect, it } from 'vitest'
import { clients, quoted } from './clients'
import { refusalOf } from './refusal'
import { matching } from './matching'

describe('what a client is given', () => {
  it('is quoted for a shell', () => {
    expect(quoted('https://example.com/mcp')).toBe('https://example.com/mcp')
    expect(quoted("https://e/'; rm -rf ~ #")).toBe(`'https://e/'\\''; rm -rf ~ #'`)
  })
  it('is JSON where a file is wanted', () => {
    for (const { name, text } of clients('https://example.com/a"b')) {
      if (text.startsWith('{')) expect(() => JSON.parse(text) as unknown, name).not.toThrow()
    }
  })
})

describe('a sign-in that came to nothing', () => {
  const of = (query: string) => refusalOf(new URLSearchParams(query))
  it('is said in words', () => expect(of('sign_in_error=another_browser')?.detail).toContain('where it was begun'))
  it('shows no words of strangers', () => expect(JSON.stringify(of('sign_in_error=<b>Call 555 now</b>'))).not.toContain('555'))
  it('names a code that is not known', () => expect(of('sign_in_error=slow_down')?.detail).toContain('slow_down'))
  it('is not there without an error', () => expect(of('signed_out=1')).toBeUndefined())
})

describe('a search', () => {
  const tools = [
    { name: 'reverse_tool', title: 'Reverse text', description: 'Turns it around.', input_schema: {} },
    { name: 'convert_time', description: 'Converts a time.', input_schema: {} },
  ]
  it('finds every word, wherever it stands', () => expect(matching(tools, 'around REVERSE').map((tool) => tool.name)).toEqual(['reverse_tool']))
  it('finds all without a word', () => expect(matching(tools, '  ')).toHaveLength(2))
  it('finds nothing where a word is nowhere', () => expect(matching(tools, 'time around')).toEqual([]))
})
