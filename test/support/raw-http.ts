import { type IncomingHttpHeaders, request } from 'node:http'
import { text as textOf } from 'node:stream/consumers'

export type Headers = Readonly<Record<string, string>>

export interface Asked {
  readonly method?: string
  readonly headers?: Headers
  readonly body?: string | Uint8Array
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** One request by Node's own client, which sends what it is told and adds little; fails after ten seconds. */
export function ask(url: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(10_000)
    request(url, { method, headers, signal }, (response) => {
      const { statusCode: status = 0, headers } = response
      textOf(response).then((text) => resolve({ status, headers, text }), reject)
    })
      .on('error', reject)
      .end(body)
  })
}
