import { connect, createServer, type Server, type Socket } from 'node:net'

/** A door to a server, which can be shut. */
export interface TcpProxy {
  readonly port: number
  /** Ends all connections and takes no more. */
  shut(): Promise<void>
  /** Lets connections through again, on the same port. */
  open(): Promise<void>
}

/** Starts one that is open; whoever does so shuts it. */
export async function startTcpProxy(target: {
  readonly host: string
  readonly port: number
}): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let server: Server | undefined
  let port = 0
  const keep = (socket: Socket) => {
    sockets.add(socket)
    // That the other side went away is what this is for.
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
  }
  const proxy: TcpProxy = {
    get port() {
      return port
    },
    async shut() {
      const closing = server
      if (closing === undefined) return
      server = undefined
      const closed = new Promise((resolve) => closing.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
    async open() {
      const opening = createServer((client) => {
        const upstream = connect(target)
        keep(client)
        keep(upstream)
        client.pipe(upstream).pipe(client)
        client.on('close', () => upstream.destroy())
        upstream.on('close', () => client.destroy())
      })
      await new Promise<void>((resolve, reject) => {
        opening.once('error', reject).listen(port, '127.0.0.1', resolve)
      })
      port = (opening.address() as { port: number }).port
      server = opening
    },
  }
  await proxy.open()
  return proxy
}
