import type { Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Db } from 'mongodb'
import { createHostConfig, type SearchsetBundle, type StoredResource } from '../../../scripts/host/index.js'

const { initialize } = createRequire(import.meta.url)('@asymmetrik/node-fhir-server-core') as {
  initialize(config: object, app: express.Express): unknown
}

/** The example host's services behind the real core, over HTTP. */
export interface HostServer {
  /** The FHIR base URL. */
  readonly base: string
  /** Sends a resource, or nothing, to a path below the base URL. */
  send(method: string, path: string, resource?: unknown, contentType?: string): Promise<Response>
  /** All entries that a search finds, over all its pages. */
  searchAll(pathAndQuery: string): Promise<StoredResource[]>
  close(): Promise<void>
}

/** @param types the resource types it serves, as to set up all of them takes a while */
export async function startHost(db: Db, types: readonly string[]): Promise<HostServer> {
  const config = createHostConfig({ db })
  const profiles = Object.fromEntries(types.map((type) => [type, config.profiles[type]]))
  const app = express()
  initialize({ ...config, profiles, logging: { level: 'none' } }, app)
  const server = app.listen(0, '127.0.0.1') as Server
  await new Promise((resolve) => server.once('listening', resolve))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/4_0_0`
  const send: HostServer['send'] = (method, path, resource, contentType = 'application/fhir+json') =>
    fetch(`${base}/${path}`, {
      method,
      ...(resource !== undefined && {
        body: typeof resource === 'string' ? resource : JSON.stringify(resource),
        headers: { 'Content-Type': contentType },
      }),
    })
  return {
    base,
    send,
    async searchAll(pathAndQuery) {
      const resources: StoredResource[] = []
      let url: string | undefined = `${base}/${pathAndQuery}`
      while (url !== undefined) {
        const answer = await fetch(url)
        if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`)
        const { entry = [], link } = (await answer.json()) as SearchsetBundle
        resources.push(...entry.map((each) => (each as { resource: StoredResource }).resource))
        url = link.find(({ relation }) => relation === 'next')?.url
      }
      return resources
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
