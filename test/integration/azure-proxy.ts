import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What becomes of an answer of the server: it is passed on, its connection is cut, it is held back for ever, or half
 * of its body is held back.
 */
export type Fate = 'pass' | 'cut' | 'hold' | 'stall'

/** Stands between a client and a real server, and does to answers what networks do. */
export interface AzureProxy {
  readonly url: string
  /** `METHOD /path?query` of all requests, in the order in which they came. */
  readonly seen: string[]
  /** The headers of the same requests. */
  readonly headers: IncomingHttpHeaders[]
  /** Decides when the server has answered; passes everything on by default. */
  fate: (request: string) => Fate
  /** The requests that never get to the server, and are answered with this code and 404; none by default. */
  refusal: (request: string) => string | undefined
  /** Resolves as soon as an answer was not passed on. */
  interfered(): Promise<void>
  close(): Promise<void>
}

/** Starts one on a free port of 127.0.0.1. */
export async function startProxy(target: string): Promise<AzureProxy> {
  const { hostname, port } = new URL(target)
  let tell: () => void = () => undefined
  const told = new Promise<void>((resolve) => {
    tell = resolve
  })
  const server = createServer((incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`
    proxy.seen.push(line)
    proxy.headers.push(incoming.headers)
    const code = proxy.refusal(line)
    if (code !== undefined) {
      outgoing.writeHead(404, { 'x-ms-error-code': code, 'content-type': 'application/xml' })
      outgoing.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`)
      return
    }
    const { method, url: path, headers } = incoming
    const onward = request({ hostname, port, method, path, headers, agent: false }, (answer) => {
      const fate = proxy.fate(line)
      if (fate !== 'pass') tell()
      answerWith(fate, answer, outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: AzureProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${new URL(target).pathname}`,
    seen: [],
    headers: [],
    fate: () => 'pass',
    refusal: () => undefined,
    interfered: () => told,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
  return proxy
}

function answerWith(fate: Fate, answer: IncomingMessage, outgoing: ServerResponse): void {
  if (fate === 'cut') outgoing.destroy()
  if (fate === 'pass' || fate === 'stall') outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
  if (fate === 'pass') answer.pipe(outgoing)
  else if (fate === 'stall') answer.once('data', (piece: Buffer) => outgoing.write(piece.subarray(0, 100)))
  else answer.resume()
}
