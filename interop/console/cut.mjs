// Other servers on this machine: a way to ours that can be cut, as a train in a tunnel cuts it, and somebody's who means ill.
import { createServer, request } from 'node:http'

/** Stands before the server at base; cut ends every connection that is open. */
export async function cuttable(base) {
  const open = new Set()
  const server = createServer((ask, answer) => {
    const headers = { ...ask.headers, host: new URL(base).host }
    if (headers.origin) headers.origin = base
    const onward = request(base + ask.url, { method: ask.method, headers }, (back) => {
      answer.writeHead(back.statusCode, back.headers)
      back.pipe(answer)
      back.on('error', () => answer.destroy())
    })
    onward.on('error', () => answer.destroy())
    answer.on('close', () => onward.destroy())
    ask.pipe(onward)
  })
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    at: `http://127.0.0.1:${server.address().port}`,
    cut: () => open.forEach((socket) => socket.destroy()),
    close: () => (open.forEach((socket) => socket.destroy()), server.close()),
  }
}

/** A server on another port of the same machine, to which a browser is as near as to ours: cookies do not tell ports apart. */
export async function neighbour() {
  const server = createServer((_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<title>next door</title>'))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { at: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}
