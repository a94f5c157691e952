import type { RequestOptions } from 'node:https'
import { DryMongoBinary } from 'mongodb-memory-server-core'
import { MongoBinaryDownload } from 'mongodb-memory-server-core/lib/util/MongoBinaryDownload.js'
import type { Logger } from 'winston'
import { BinaryCache } from './cache.js'
import type { MongodSource } from './source.js'

/** Milliseconds without an answer, or without a byte, until a download is given up. A slow one may take longer. */
const IDLE_TIMEOUT = 10_000
/** Milliseconds between two lines about the progress. */
const REPORT_EVERY = 5_000

/**
 * The library's downloader, more careful in two ways: it verifies the server's certificate, which the library
 * does only when npm's settings say so, and it fails at once instead of trying three times a minute long.
 */
class OfficialDownload extends MongoBinaryDownload {
  private received = 0
  private reportedAt = Date.now()

  constructor(
    options: ConstructorParameters<typeof MongoBinaryDownload>[0],
    private readonly logger: Logger,
    private readonly signal: AbortSignal | undefined,
  ) {
    super(options)
  }

  override httpDownload(
    url: URL,
    options: RequestOptions,
    location: string,
    temporary: string,
  ): Promise<string> {
    const request = { ...options, rejectUnauthorized: true, ...(this.signal && { signal: this.signal }) }
    return super.httpDownload(url, request, location, temporary, 1, 0, IDLE_TIMEOUT)
  }

  /** Called for each piece; the library compares `current` with the expected length at the end. */
  override printDownloadProgress(piece: { length: number }): void {
    this.dlProgress.current += piece.length
    this.received += piece.length
    if (Date.now() - this.reportedAt < REPORT_EVERY) return
    this.reportedAt = Date.now()
    const megabytes = Math.round(this.received / 1e6)
    this.logger.info('mongodb.downloading', { megabytes, of: Math.round(this.dlProgress.length / 1e6) })
  }
}

/** MongoDB's own build for this system, in the version mongodb-memory-server was made for. About 100 MB. */
export function officialDownload(options: { directory: string; logger: Logger }): MongodSource {
  const { directory, logger } = options
  const { version } = DryMongoBinary.getEnsuredOptions()
  const cache = new BinaryCache(directory, `download-${version}`)
  return {
    name: 'download',
    title: 'the official download of mongodb-memory-server',
    present: (signal) => cache.present(signal),
    fetch: (signal) =>
      cache.keep(async (staging) => {
        logger.info('mongodb.download', { version })
        const { os } = await DryMongoBinary.generateOptions({ version, downloadDir: staging })
        return await new OfficialDownload(
          { version, os, downloadDir: staging },
          logger,
          signal,
        ).getMongodPath()
      }, signal),
  }
}
