import type { IncomingMessage } from 'node:http'
import type { ByteRange } from './export-storage.js'
import type { GcsSettings } from './gcs-options.js'
import { type GcsAnswer, type GcsRequest, GcsRequests } from './gcs-requests.js'

/** What is known of an object. */
export interface GcsObject {
  readonly generation: string
  readonly md5Hash?: string
  readonly crc32c?: string
  readonly metadata?: Readonly<Record<string, string>>
}

/** What a request takes from its caller. */
export type GcsCall = Pick<GcsRequest, 'headers' | 'body' | 'accepts' | 'signal'>

const PAGE = 1000
const FIELDS = 'generation,md5Hash,crc32c,metadata'

/** The calls of the JSON API that a storage needs, for one bucket. Names are those of objects, with the prefix. */
export class GcsBucket {
  constructor(
    readonly settings: GcsSettings,
    private readonly requests = new GcsRequests(settings),
  ) {}

  /** The bytes as they are stored, whatever they are coded with. */
  media(name: string, range?: ByteRange): Promise<IncomingMessage> {
    const { start = 0, end } = range ?? {}
    const headers = start > 0 || end !== undefined ? { range: `bytes=${start}-${end ?? ''}` } : {}
    const url = this.objectUrl(name, { alt: 'media' })
    // Further than the end is as empty as it is elsewhere.
    return this.requests.open({ method: 'GET', url, place: this.place(name), headers, accepts: [416] })
  }

  /** What is known of an object; `undefined` when there is none. */
  async object(name: string, signal?: AbortSignal): Promise<GcsObject | undefined> {
    const { status, text } = await this.requests.call({
      method: 'GET',
      url: this.objectUrl(name, { fields: FIELDS }),
      place: this.place(name),
      accepts: [404],
      ...(signal && { signal }),
    })
    return status === 404 ? undefined : (JSON.parse(text) as GcsObject)
  }

  /** Removes an object, if it is there; with a generation only if it is still that one. */
  async remove(name: string, generation?: string): Promise<void> {
    const url = this.objectUrl(name, generation === undefined ? {} : { ifGenerationMatch: generation })
    await this.requests.call({ method: 'DELETE', url, place: this.place(name), accepts: [404, 412] })
  }

  /** The names that begin with a prefix, a page at a time. */
  async *names(prefix: string): AsyncGenerator<readonly string[], void, void> {
    for (let pageToken: string | undefined; ; ) {
      const url = this.url(`/storage/v1/b/${this.settings.bucket}/o`, {
        prefix,
        maxResults: String(PAGE),
        fields: 'items(name),nextPageToken',
        ...(pageToken !== undefined && { pageToken }),
      })
      const { text } = await this.requests.call({ method: 'GET', url, place: this.place(prefix) })
      const page = JSON.parse(text) as {
        items?: readonly { readonly name: string }[]
        nextPageToken?: string
      }
      if (page.items !== undefined) yield page.items.map(({ name }) => name)
      if (!page.nextPageToken) return
      pageToken = page.nextPageToken
    }
  }

  /** Begins an upload of a kind, of a name that has to be free. */
  upload(type: 'multipart' | 'resumable', name: string, call: GcsCall): Promise<GcsAnswer> {
    const { bucket, kmsKeyName } = this.settings
    const url = this.url(`/upload/storage/v1/b/${bucket}/o`, {
      uploadType: type,
      name,
      ifGenerationMatch: '0',
      ...(type === 'multipart' && { fields: FIELDS }),
      ...(kmsKeyName !== undefined && { kmsKeyName }),
    })
    return this.requests.call({ method: 'POST', url, place: this.place(name), ...call })
  }

  /** Sends a part to an upload session, whose URL is a secret, or ends the session. */
  session(method: 'PUT' | 'DELETE', url: URL, name: string, call: GcsCall): Promise<GcsAnswer> {
    return this.requests.call({ method, url, place: this.place(name), ...call })
  }

  /** The same bucket, whose requests give up sooner. */
  hasty(timeout: number, tries: number): GcsBucket {
    const settings = { ...this.settings, timeout: Math.min(timeout, this.settings.timeout) }
    return new GcsBucket(settings, new GcsRequests(settings, tries))
  }

  place(name: string): string {
    return `gs://${this.settings.bucket}/${name}`
  }

  private objectUrl(name: string, query: Readonly<Record<string, string>>): URL {
    return this.url(`/storage/v1/b/${this.settings.bucket}/o/${encodeURIComponent(name)}`, query)
  }

  private url(path: string, query: Readonly<Record<string, string>>): URL {
    const { client, userProject } = this.settings
    const url = new URL(client.apiEndpoint + path)
    url.search = new URLSearchParams({ ...query, ...(userProject && { userProject }) }).toString()
    return url
  }
}
