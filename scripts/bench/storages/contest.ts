import type { ExportStorage } from '../../../plugin/index.js'

/** A storage beside the plainest way to get bytes to the same place. */
export interface Contest {
  readonly name: string
  readonly storage: ExportStorage
  /** What the plain way is, such as the SDK's own streaming upload. */
  readonly rival: string
  upload(key: string, source: AsyncIterable<Uint8Array>): Promise<void>
  /** Ends the server and removes what it has stored. */
  close(): Promise<void>
}
