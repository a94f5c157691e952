import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/**
 * What becomes of a request on its way: it gets through; the connection breaks before the server has it, or when
 * the server has answered; nobody ever answers, and the server has it or not; half of the answer comes, and then the
 * connection breaks or is silent; or it is answered with a status on the way.
 */
export type Fate = 'pass' | 'cut' | 'lose' | 'hang' | 'swallow' | 'halve' | 'stall' | number

export interface GcsProxy {
  readonly url: string
  /** Decides about each request that comes; everything passes until it is set. */
  decide: (request: { readonly method: string; readonly url: string }) => Fate
  /** `GET /storage…` of each request that came, without its query. */
  readonly seen: string[]
  /** The `Authorization` of each of them. */
  readonly identities: (string | undefined)[]
  close(): Promise<void>
}

/** A network that can be told to fail, before a real server. */
export async function startProxy(target: string): Promise<GcsProxy> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: GcsProxy = {
    url: `http://127.0.0.1:${portOf(server)}`,
    decide: () => 'pass',
    seen: [],
    identities: [],
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  server.on('request', (incoming, outgoing) => {
    const { method = '', url = '' } = incoming
    proxy.identities.push(incoming.headers.authorization)
    proxy.seen.push(`${method} ${url.replace(/\?.*/, '')}`)
    convey(target, incoming, outgoing, proxy.decide({ method, url })).catch(() => outgoing.destroy())
  })
  return proxy
}

async function convey(
  target: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  fate: Fate,
): Promise<void> {
  if (fate === 'cut') outgoing.destroy()
  if (fate === 'cut' || fate === 'hang') return
  const body = await buffer(incoming)
  if (typeof fate === 'number') {
    outgoing.writeHead(fate, { 'content-type': 'application/json' })
    outgoing.end(JSON.stringify({ error: { message: 'a message of the server' } }))
    return
  }
  const { method, headers } = incoming
  // The host stays, so that links lead to here.
  const sent = request(`${target}${incoming.url}`, { method, headers, agent: false }).end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const bytes = await buffer(answer)
  if (fate === 'swallow') return
  if (fate === 'lose') {
    outgoing.destroy()
    return
  }
  outgoing.writeHead(answer.statusCode ?? 0, answer.headers)
  if (fate === 'pass') {
    outgoing.end(bytes)
    return
  }
  outgoing.write(bytes.subarray(0, bytes.length / 2), () => {
    if (fate === 'halve') outgoing.destroy()
  })
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}
