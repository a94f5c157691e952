import type { Logger } from 'winston'
import { describeError, ExportError } from '../errors.js'
import type { ExportStorage } from '../storage/export-storage.js'
import { untilAborted } from '../until-aborted.js'

/** How long it is taken for granted that a storage takes files, or does not, after a look, in ms. */
const TRUST = { usable: 60_000, unusable: 5000 }

/** In ms; a storage that hangs is not usable. */
const LONGEST_LOOK = 30_000

/** Knows whether a storage takes files. */
export interface StorageProbe {
  /** @throws ExportError 503 when it takes none; the log has the cause */
  requireUsable(): Promise<void>
}

/** Tries the storage when it is asked, but not again for a while; those who ask at the same time share one look. */
export function storageProbe(storage: ExportStorage, logger: Logger): StorageProbe {
  let looking: Promise<boolean> | undefined
  let trustedUntil = 0
  const look = async () => {
    try {
      await untilAborted(() => storage.check(), { timeout: LONGEST_LOOK })
      return true
    } catch (error) {
      logger.error('storage.unusable', { error: describeError(error) })
      return false
    }
  }
  const isUsable = () => {
    if (looking !== undefined && performance.now() < trustedUntil) return looking
    trustedUntil = Number.POSITIVE_INFINITY
    looking = look().then((usable) => {
      trustedUntil = performance.now() + (usable ? TRUST.usable : TRUST.unusable)
      return usable
    })
    return looking
  }
  return {
    async requireUsable() {
      if (!(await isUsable())) throw unusableStorage()
    },
  }
}

/** What a client is told of a storage that fails; the log has to have the cause. */
export function unusableStorage(): ExportError {
  const text = 'The storage of this server takes no files at the moment, so an export could not be written.'
  return new ExportError(503, `${text} Try again later.`, { code: 'no-store', retryAfter: 30 })
}
