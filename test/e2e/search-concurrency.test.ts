import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { startHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const PATIENTS = Array.from({ length: 9 }, (_, index) => `p${index}`)
const GROUP = {
  ...{ resourceType: 'Group', id: 'ours', type: 'person', actual: true },
  meta: { lastUpdated: '2024-07-01T00:00:00Z' },
  member: PATIENTS.map((id) => ({ entity: { reference: `Patient/${id}` } })),
}

describe('the option searchConcurrency', () => {
  const database = useDatabase()

  for (const [given, expected] of [
    [undefined, 4],
    [1, 1],
    [3, 3],
  ] as const) {
    it(`${given ?? 'by default'}: a group export asks a service for ${expected} patients at once, and writes them in order`, async () => {
      let underWay = 0
      let most = 0
      const search = async (_args: object, { req }: { readonly req: unknown }) => {
        underWay += 1
        most = Math.max(most, underWay)
        // Until as many as may be are there; the last ones are fewer.
        for (let turn = 0; most < expected && turn < 10_000; turn += 1) await setImmediate()
        // One more would come now.
        await setImmediate()
        underWay -= 1
        const { subject } = (req as { query: { subject?: string } }).query
        if (subject === undefined) return []
        return [{ resourceType: 'Observation', id: `o-${subject.slice(8)}`, subject: { reference: subject } }]
      }
      const host = await startHost(database, {
        ...{ resources: [GROUP], types: ['Group'] },
        profiles: { Observation: { service: { search }, versions: ['4_0_0'] } },
        options: { workers: 1, ...(given === undefined ? {} : { searchConcurrency: given }) },
      })
      try {
        const statusUrl = await host.client.kickOff({ group: 'ours' }, { _type: 'Observation' })
        const found = (await host.resources(await host.manifest(statusUrl))).get('Observation')
        expect(found?.map(({ id }) => id)).to.deep.equal(PATIENTS.map((id) => `o-${id}`))
        expect(most).to.equal(expected)
      } finally {
        await host.close()
      }
    })
  }
})
