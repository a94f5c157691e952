import { expect } from 'chai'
import { population } from '../../scripts/population/index.js'
import { compartmentsOf } from '../support/compartment.js'
import { store, type TestResource, useHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const RESOURCES = [...population({ patients: 24 })] as unknown as readonly TestResource[]
const PATIENTS = RESOURCES.filter(({ resourceType }) => resourceType === 'Patient').map(
  ({ id }) => id as string,
)

describe('an export', () => {
  const database = useDatabase()
  const test = useHost(database, () => ({
    resources: RESOURCES,
    options: { maxFileResources: 50, pageSize: 40 },
  }))

  /** Exports and checks that the output is exactly the expected resources, each once, as it was stored. */
  async function expectExport(
    level: 'system' | 'patient' | { group: string },
    expected: readonly TestResource[],
  ) {
    const { host } = test
    const manifest = await host.manifest(await host.client.kickOff(level))
    const exported = await host.resources(manifest)
    const types = [...new Set(expected.map(({ resourceType }) => resourceType))]
    expect([...exported.keys()].sort()).to.deep.equal(types.sort())
    for (const type of types) {
      const byId = (a: TestResource, b: TestResource) => ((a.id as string) < (b.id as string) ? -1 : 1)
      const wanted = expected.filter(({ resourceType }) => resourceType === type).sort(byId)
      expect([...(exported.get(type) ?? [])].sort(byId), type).to.deep.equal(wanted)
    }
    for (const { count, url } of manifest.output) {
      expect(count).to.be.within(1, 50)
      expect(url).to.match(/\/[A-Za-z]+-\d+\.ndjson$/)
    }
  }

  it('at system level has every resource of the host, unchanged and once [KO-19 QP-31]', async () => {
    await expectExport('system', RESOURCES)
  })

  it('at patient level has every patient and all that is in a compartment [KO-14 QP-31]', async () => {
    await expectExport(
      'patient',
      RESOURCES.filter((resource) => compartmentsOf(resource).size > 0),
    )
  })

  for (const members of [['p1'], ['p2', 'p1', 'p10', 'p20'], ['p10', 'p5'], PATIENTS]) {
    it(`of a group of ${members.length} has exactly the union of their compartments [KO-14 GR-01]`, async () => {
      const group = groupOf('ours', members)
      await putGroup(group)
      await expectExport(
        { group: 'ours' },
        [...RESOURCES, group].filter((resource) => members.some((id) => compartmentsOf(resource).has(id))),
      )
    })
  }

  it('of an empty group has nothing [GR-10 EE-01]', async () => {
    await putGroup(groupOf('ours', []))
    await expectExport({ group: 'ours' }, [])
  })

  async function putGroup(group: TestResource) {
    await store(database, [group])
  }
})

function groupOf(id: string, members: readonly string[]): TestResource {
  return {
    resourceType: 'Group',
    id,
    type: 'person',
    actual: true,
    ...(members.length === 0
      ? {}
      : { member: members.map((member) => ({ entity: { reference: `Patient/${member}` } })) }),
  }
}
