import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What came to the proxy. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** What becomes of a request: an answer of the proxy's own, a changed body, or one that breaks off. */
export interface Tampering {
  readonly answer?: {
    readonly status: number
    readonly headers?: Record<string, string>
    readonly body?: string
  }
  /** The server is asked not to compress it. */
  body?(text: string): string
  /** Headers of the server that the client does not get. */
  readonly without?: readonly string[]
  /** Cuts the connection after so many bytes of the body. */
  readonly cutAfter?: number
}

/** Stands before a real server and passes requests on, but for what a test does to them. */
export interface TamperProxy {
  /** The base URL of the server, through the proxy. */
  readonly base: string
  readonly requests: readonly SeenRequest[]
  close(): Promise<void>
}

/**
 * Starts one; whoever does so closes it. The server's own origin becomes the proxy's in headers and JSON, so that
 * clients stay with it.
 *
 * @param tamper is asked for each request
 */
export async function startTamperProxy(
  target: string,
  tamper: (request: SeenRequest) => Tampering | undefined,
): Promise<TamperProxy> {
  const { origin, pathname } = new URL(target)
  const requests: SeenRequest[] = []
  let own = ''
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch((error: unknown) => outgoing.destroy(error as Error))
  })

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse) {
    const body = await buffer(incoming)
    const { method = 'GET', url: path = '/', headers } = incoming
    const seen = { method, path, headers, body: body.toString() }
    requests.push(seen)
    const tampering = tamper(seen) ?? {}
    if (tampering.answer) {
      const { status, headers: added = {}, body: text = '' } = tampering.answer
      outgoing.writeHead(status, added).end(text)
      return
    }
    const { host: _, ...passed } = headers
    if (tampering.body) delete passed['accept-encoding']
    const [answer] = (await once(
      request(`${origin}${path}`, { method, headers: passed }).end(body),
      'response',
    )) as [IncomingMessage]
    let bytes: Buffer = await buffer(answer)
    const isText = /json/.test(answer.headers['content-type'] ?? '') && !answer.headers['content-encoding']
    if (isText && !answer.headers['content-type']?.includes('ndjson')) {
      bytes = Buffer.from(bytes.toString().replaceAll(origin, own))
    }
    if (tampering.body) bytes = Buffer.from(tampering.body(bytes.toString()))
    const added = { ...answer.headers }
    for (const name of [...(tampering.without ?? []), 'transfer-encoding', 'connection']) delete added[name]
    if (added['content-location']) added['content-location'] = added['content-location'].replace(origin, own)
    if (method !== 'HEAD') added['content-length'] = String(bytes.length)
    outgoing.writeHead(answer.statusCode ?? 500, added)
    if (tampering.cutAfter === undefined) outgoing.end(bytes)
    else outgoing.write(bytes.subarray(0, tampering.cutAfter), () => outgoing.socket?.destroySoon())
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    base: `${own}${pathname}`,
    requests,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
