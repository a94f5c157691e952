import { expect } from 'chai'
import type { BulkExportOptions } from '../../plugin/index.js'
import { collectionName } from '../../scripts/host/index.js'
import { population } from '../../scripts/population/index.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const RESOURCES = [...population({ patients: 25 })] as readonly { readonly id: string }[]
const IDS = RESOURCES.map(({ id }) => id).sort()

describe('an export that is gentle with the database', () => {
  const database = useDatabase()
  let open: TestHost | undefined
  afterEach(async () => {
    await open?.close()
    open = undefined
  })

  const exported = async (options: Partial<BulkExportOptions>) => {
    const host = await startHost(database, { resources: RESOURCES, options })
    open = host
    const started = performance.now()
    const statusUrl = await host.client.kickOff('system')
    expect(await host.ended(statusUrl)).to.equal('completed')
    const ms = performance.now() - started
    const files = await host.resources(await host.manifest(statusUrl))
    return { ms, ids: [...files.values()].flatMap((all) => all.map(({ id }) => String(id))).sort() }
  }
  const scanned = { collections: collectionName }

  for (const readPreference of ['primary', 'secondaryPreferred', 'nearest'] as const) {
    it(`has every resource once when the preference is ${readPreference}`, async () => {
      const { ids } = await exported({
        ...scanned,
        scan: { readPreference, batchSize: 7, maxTimeMS: 60_000 },
      })
      expect(ids).to.deep.equal(IDS)
    })
  }

  it('reads its record from the primary, whatever the URI says, and so never takes a member that lags for it', async () => {
    const separator = database.uri.includes('?') ? '&' : '?'
    const { ids } = await exported({
      ...scanned,
      // There is none, so whatever would be asked of one would wait in vain.
      mongodb: { uri: `${database.uri}${separator}readPreference=secondary` },
    })
    expect(ids).to.deep.equal(IDS)
  })

  it('searches when none of the collections is there, which are in another database then', async () => {
    const { ids } = await exported({ collections: (type) => `elsewhere_${type}` })
    expect(ids).to.deep.equal(IDS)
    expect(open?.log.some(({ message }) => message === 'collections.not-found')).to.equal(true)
  })

  for (const [how, options] of [
    ['searches', {}],
    ['scans', scanned],
  ] as const) {
    it(`writes no faster than it may while it ${how}`, async () => {
      expect(IDS.length).to.be.greaterThan(1000)
      const { ids, ms } = await exported({ ...options, maxRate: { resources: 1000 } })
      expect(ids).to.deep.equal(IDS)
      expect(ms).to.be.greaterThan(IDS.length - 2)
    })
  }
})
