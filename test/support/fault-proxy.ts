import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands before a real server and passes everything on, but for the faults that a test asks for. */
export interface FaultProxy {
  /** Such as `http://127.0.0.1:1234`. */
  readonly endpoint: string
  /** Lets the next request whose first line matches through, and cuts the connection instead of the answer. */
  loseAnswer(request: RegExp): void
  /** The same, but the client goes on waiting for the answer. Resolves when the server has given it. */
  holdAnswer(request: RegExp): Promise<void>
  /** Nothing gets through from now on, in neither direction, while connections stay open. */
  stall(): void
  close(): Promise<void>
}

interface Fault {
  readonly request: RegExp
  onAnswer(client: Socket): void
}

/** @param target URL of the server */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let fault: Fault | undefined
  let isStalled = false
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    let struck: Fault | undefined
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      // What becomes of one end, the other learns by its end.
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        if (struck === undefined || socket === client) for (const end of [client, upstream]) end.destroy()
      })
    }
    client.on('data', (chunk: Buffer) => {
      if (isStalled) return
      if (fault?.request.test(firstLineOf(chunk))) {
        struck = fault
        fault = undefined
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (isStalled) return
      if (struck === undefined || firstLineOf(chunk).startsWith('HTTP/1.1 100')) client.write(chunk)
      else struck.onAnswer(client)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    loseAnswer(request) {
      fault = { request, onAnswer: (client) => client.destroy() }
    },
    holdAnswer(request) {
      return new Promise((resolve) => {
        fault = { request, onAnswer: () => resolve() }
      })
    },
    stall() {
      isStalled = true
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function firstLineOf(chunk: Buffer): string {
  return chunk.subarray(0, 2000).toString('latin1').split('\r\n', 1)[0] ?? ''
}
