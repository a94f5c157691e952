import { expect } from 'chai'
import { startHost, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const NOW = '2024-05-01T12:00:00.000Z'
const MEMBERS = Array.from({ length: 2500 }, (_, index) => `p${(index * 7919) % 10_007}`)
const OTHERS = ['stranger', 'p', 'zzz']
const reference = (id: string) => ({ reference: `Patient/${id}` })
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true, meta: { lastUpdated: NOW } },
  member: MEMBERS.map((id) => ({ entity: reference(id) })),
}
/** Of the first patient and the last one, so that it is in the compartments of two slices. */
const shared = (id: string, ...patients: readonly string[]) => ({
  ...{ resourceType: 'Observation', id, meta: { lastUpdated: NOW } },
  subject: reference(patients[0] as string),
  performer: patients.slice(1).map(reference),
})
const sorted = [...MEMBERS].sort()
const [first, last] = [sorted[0] as string, sorted.at(-1) as string]
const middle = sorted[1250] as string
const EXPORTED = [
  shared('both-ends', first, last),
  shared('backwards', last, middle, first),
  shared('with-stranger', 'stranger', last),
  ...MEMBERS.filter((_, index) => index % 50 === 0).map((id) => shared(`o-${id}`, id)),
]

describe('a group of several slices', () => {
  const database = useDatabase()
  let host: TestHost | undefined
  afterEach(async () => {
    await host?.close()
    host = undefined
  })

  it('gives each resource once, whichever of its patients it is found by, and is work for many workers', async function () {
    this.timeout(60_000)
    const patients = [...MEMBERS, ...OTHERS].map((id) => ({
      ...{ resourceType: 'Patient', id, meta: { lastUpdated: NOW } },
    }))
    const resources = [GROUP, ...patients, ...EXPORTED, shared('foreign', 'stranger', 'zzz')]
    host = await startHost(database, { resources, options: { workers: 4 } })
    const statusUrl = await host.client.kickOff({ group: 'g' }, { _type: 'Patient,Observation' })
    expect(await host.ended(statusUrl)).to.equal('completed')
    const found = await host.resources(await host.manifest(statusUrl))
    const ids = (type: string) => (found.get(type) ?? []).map(({ id }) => id).sort()
    expect(ids('Patient')).to.deep.equal(sorted)
    expect(ids('Observation')).to.deep.equal(EXPORTED.map(({ id }) => id).sort())
    const done = host.log.filter(({ message }) => message === 'task.done')
    expect(done.map(({ exports }) => exports).sort()).to.deep.equal([
      ...Array(3).fill('Observation'),
      ...Array(3).fill('Patient'),
    ])
    const written = done.reduce((sum, { resources }) => sum + Number(resources), 0)
    expect(written).to.equal(sorted.length + EXPORTED.length)
  })
})
