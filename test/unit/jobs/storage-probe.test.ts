import { expect } from 'chai'
import { ExportError } from '../../../plugin/errors.js'
import { storageProbe } from '../../../plugin/jobs/storage-probe.js'
import type { ExportStorage } from '../../../plugin/storage/export-storage.js'
import { createTestLogger } from '../../support/logger.js'

/** A storage of which only the look is asked for. */
function storageWith(check: () => Promise<void>): ExportStorage {
  const unasked = () => Promise.reject(new Error('not asked for'))
  return { write: unasked, read: unasked, removeAll: unasked, removeOthers: unasked, check }
}

describe('storageProbe', () => {
  it('looks once for all that ask at the same time, and not again for a while', async () => {
    let looks = 0
    const { logger } = createTestLogger()
    const probe = storageProbe(
      storageWith(async () => {
        looks += 1
      }),
      logger,
    )
    await Promise.all(Array.from({ length: 20 }, () => probe.requireUsable()))
    await probe.requireUsable()
    expect(looks).to.equal(1)
  })

  it('refuses all that ask with 503 and no word of the cause, which is logged once', async () => {
    const { logger, records } = createTestLogger()
    const probe = storageProbe(
      storageWith(() => Promise.reject(new Error('no rights on /secret/place'))),
      logger,
    )
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => probe.requireUsable()))
    for (const outcome of outcomes) {
      const error = outcome.status === 'rejected' ? outcome.reason : undefined
      expect(error).to.be.instanceOf(ExportError)
      expect(error).to.include({ status: 503, retryAfter: 30 })
      expect((error as ExportError).issues[0]).to.include({ code: 'no-store' })
      expect((error as ExportError).message).not.to.include('secret')
    }
    expect(records.map(({ message, error }) => [message, error])).to.deep.equal([
      ['storage.unusable', 'Error: no rights on /secret/place'],
    ])
  })
})
