import { describe, expect, it } from 'vitest'
import { Problem, type Ask } from './http'
import { follow, type Message } from './stream'

const answer = (...parts: string[]) =>
  new Response(
    new ReadableStream({
      start(out) {
        for (const part of parts) out.enqueue(new TextEncoder().encode(part))
        out.close()
      },
    }),
  )
const refusal = (status: number) => new Problem({ title: '', status, code: 'x', detail: '' })

/** Plays connections one after the other, and keeps what each was asked with and how long was waited before. */
async function play(connections: (Response | Problem)[], enough: (message: Message) => boolean = ({ data }) => data === 'end') {
  const heard: string[] = []
  const asked: (string | undefined)[] = []
  const waits: number[] = []
  const lines: boolean[] = []
  const left = [...connections]
  const leave = new AbortController()
  const ended = await follow({
    path: '/events',
    signal: leave.signal,
    open: async (_: string, options?: Ask) => {
      asked.push(options?.headers?.['Last-Event-ID'])
      const next = left.shift()
      if (next === undefined) throw new Error('more connections than expected')
      if (next instanceof Problem) throw next
      return next
    },
    wait: async (milliseconds) => {
      waits.push(milliseconds)
      if (left.length === 0) leave.abort()
    },
    onConnection: (connected) => lines.push(connected),
    onMessage: (message) => {
      heard.push(message.data)
      return enough(message) ? 'enough' : 'more'
    },
  }).catch((cause: unknown) => cause)
  return { heard, asked, waits, lines, ended }
}

describe('a stream outlives its connections', () => {
  it('it is taken up after the last event that was read', async () => {
    const { heard, asked } = await play([answer('id: 1\ndata: a\n\nid: 2\ndata: b\n\n'), answer('id: 3\ndata: end\n\n')])
    expect(heard).toEqual(['a', 'b', 'end'])
    expect(asked).toEqual([undefined, '2'])
  })
  it('an event that was cut off is read again', async () => {
    const { heard, asked } = await play([answer('id: 1\ndata: a\n\nid: 2\nda'), answer('id: 2\ndata: b\n\nid: 3\ndata: end\n\n')])
    expect(heard).toEqual(['a', 'b', 'end'])
    expect(asked).toEqual([undefined, '1'])
  })
  it('a character that is cut in two is read whole', async () => {
    const bytes = new TextEncoder().encode('data: é\n\ndata: end\n\n')
    const split = new Response(new ReadableStream({ start: (out) => (out.enqueue(bytes.slice(0, 7)), out.enqueue(bytes.slice(7)), out.close()) }))
    expect((await play([split])).heard).toEqual(['é', 'end'])
  })
  it('comments and silence are nothing', async () => expect((await play([answer(': \n\n', 'retry: 5\n\n', 'data: end\n\n')])).heard).toEqual(['end']))
  it('the server says how long to wait, and failures wait longer', async () => {
    const { waits } = await play([answer('retry: 200\n\n'), refusal(503), refusal(0), answer('data: end\n\n')])
    expect(waits).toEqual([200, 400, 800])
  })
  it('no wait is longer than a quarter of a minute', async () => {
    const { waits } = await play([...Array.from({ length: 8 }, () => refusal(503)), answer('data: end\n\n')])
    expect(Math.max(...waits)).toBe(15_000)
  })
  it('a refusal that time does not mend ends it', async () => {
    const { ended, waits } = await play([refusal(404)])
    expect(ended).toBeInstanceOf(Problem)
    expect(waits).toEqual([])
  })
  it('who has enough is not told more', async () => expect((await play([answer('data: end\n\ndata: more\n\n')])).heard).toEqual(['end']))
  it('it says when the line is lost and when it is there', async () => {
    expect((await play([answer('data: a\n\n'), answer('data: end\n\n')])).lines).toEqual([true, false, true])
  })
})
