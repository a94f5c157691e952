import { expect } from 'chai'
import { compartmentOf } from '../../plugin/fhir/patient-compartment.js'
import { startHost, store, type TestHost, type TestResource } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { MEMBERS, type OwnedResource, SINCE, versionedData } from '../support/versioned-data.js'

const OLD_TAG = 'http://hl7.org/fhir/v3/ObservationValue'
const R4_TAG = 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue'

/** What an export with `_elements=Condition.id` keeps of a Condition, and how it says so, from the pages of each release. */
const SUBSETS: Readonly<Record<string, { readonly keys: readonly string[]; readonly system: string }>> = {
  '4_0_0': { keys: ['id', 'meta', 'resourceType', 'subject'], system: R4_TAG },
  '4_0_1': { keys: ['id', 'meta', 'resourceType', 'subject'], system: R4_TAG },
  '3_0_1': { keys: ['id', 'meta', 'resourceType', 'subject'], system: OLD_TAG },
  '1_0_2': {
    keys: ['code', 'id', 'meta', 'patient', 'resourceType', 'verificationStatus'],
    system: OLD_TAG,
  },
}

const names = (resources: Iterable<TestResource>) =>
  [...resources].map(({ resourceType, id }) => `${resourceType}/${id}`).sort()

async function exported(host: TestHost, url: string): Promise<readonly TestResource[]> {
  const { status, headers } = await fetch(url)
  expect(status, url).to.equal(202)
  const manifest = await host.manifest(headers.get('content-location') as string)
  expect(manifest.error).to.deep.equal([])
  return [...(await host.resources(manifest)).values()].flat()
}

describe('exports in each FHIR version', () => {
  const database = useDatabase()

  for (const [version, { keys, system }] of Object.entries(SUBSETS)) {
    for (const way of ['search', 'scan'] as const) {
      describe(`${version}, read by ${way}`, () => {
        const data = versionedData(version)
        let host: TestHost
        beforeEach('start a host', async () => {
          host = await startHost(database, {
            ...{ versions: [version], queries: way === 'scan' },
            resources: data.map(({ resource }) => resource),
          })
        })
        afterEach('close the host', () => host.close())

        const expected = (isMeant: (one: OwnedResource) => boolean) =>
          names(data.filter(isMeant).map(({ resource }) => resource))
        const isMember = ({ owners }: OwnedResource) =>
          owners.some((owner) => (MEMBERS as readonly string[]).includes(owner))
        const isNew = ({ resource }: OwnedResource) =>
          String((resource['meta'] as { lastUpdated: string }).lastUpdated) > SINCE
        const of = async (path: string) => names(await exported(host, `${host.base}/${path}`))

        it('have what they should at every level', async () => {
          expect(await of('$export')).to.deep.equal(expected(() => true))
          expect(await of('Patient/$export')).to.deep.equal(expected(({ owners }) => owners.length > 0))
          expect(await of('Group/g1/$export')).to.deep.equal(expected(isMember))
          const jobs = await database.db.collection('bulkexport.jobs').find().toArray()
          for (const job of jobs) expect('scans' in job).to.equal(way === 'scan')
        })

        it('obey _since and _typeFilter', async () => {
          expect(await of(`$export?_since=${SINCE}`)).to.deep.equal(expected(isNew))
          expect(await of(`Group/g1/$export?_since=${SINCE}`)).to.deep.equal(
            expected((one) => isMember(one) && isNew(one)),
          )
          const filter = '_type=Observation&_typeFilter=Observation%3Fstatus%3Damended'
          for (const path of ['$export', 'Group/g1/$export']) {
            expect(await of(`${path}?${filter}`), path).to.deep.equal(
              expected(
                (one) => one.resource['status'] === 'amended' && (path === '$export' || isMember(one)),
              ),
            )
          }
        })

        it('keep with _elements what the version makes mandatory', async () => {
          for (const path of ['$export', 'Group/g1/$export']) {
            const conditions = await exported(
              host,
              `${host.base}/${path}?_type=Condition&_elements=Condition.id`,
            )
            expect(conditions).not.to.deep.equal([])
            for (const condition of conditions) {
              expect(Object.keys(condition).sort()).to.deep.equal(keys)
              expect((condition['meta'] as { tag: unknown }).tag).to.deep.equal([
                { system, code: 'SUBSETTED' },
              ])
            }
          }
        })

        it('answer errors in the form of the version', async () => {
          const response = await fetch(`${host.base}/Patient/$export?_type=Patient,Organisation&_since=x`)
          expect(response.status).to.equal(400)
          const { issue } = (await response.json()) as { issue: readonly Record<string, unknown>[] }
          const [pointer, other] =
            version === '1_0_2' ? ['location', 'expression'] : ['expression', 'location']
          for (const each of issue) expect(each).to.have.property(pointer)
          for (const each of issue) expect(each).not.to.have.property(other)
        })
      })
    }
  }

  it('are kept apart on one host, in what they read and in what they write', async () => {
    const versions = ['3_0_1', '4_0_0', '1_0_2']
    for (const queries of [false, true]) {
      for (const version of versions) {
        await database.db.dropCollection(`Patient_${version}`).catch(() => undefined)
      }
      const resources = (version: string) =>
        ['p1', 'p2'].flatMap((id) => [
          { resourceType: 'Patient', id, gender: version },
          {
            ...{ resourceType: 'Immunization', id: `i-${id}`, reported: version },
            patient: { reference: `Patient/${id}` },
          },
          {
            resourceType: 'Group',
            id: `g-${id}`,
            type: version,
            member: [{ entity: { reference: `Patient/${id}` } }],
          },
        ])
      for (const version of versions) {
        for (const type of ['Patient', 'Immunization', 'Group']) {
          await database.db.collection(`${type}_${version}`).deleteMany({})
        }
        await store(database, resources(version), version)
      }
      const host = await startHost(database, {
        versions,
        queries,
        types: ['Patient', 'Immunization', 'Group'],
      })
      try {
        for (const version of versions) {
          const base = host.base.replace('3_0_1', version)
          await database.db.command({ profile: 2 })
          const everything = await exported(host, `${base}/$export`)
          const group = await exported(host, `${base}/Group/g-p2/$export`)
          await database.db.command({ profile: 0 })
          const read = await database.db
            .collection('system.profile')
            .distinct('ns', { ns: /_(3_0_1|4_0_0|1_0_2)$/ })
          await database.db.dropCollection('system.profile')
          expect(read.length).to.be.greaterThan(0)
          for (const name of read) expect(name).to.match(new RegExp(`_${version}$`))
          expect(names(everything)).to.deep.equal(names(resources(version)))
          expect(names(group)).to.deep.equal(['Group/g-p2', 'Immunization/i-p2', 'Patient/p2'])
          for (const resource of [...everything, ...group]) {
            const { gender, reported, type } = resource
            expect(gender ?? reported ?? type).to.equal(version)
          }
        }
      } finally {
        await host.close()
      }
    }
  })

  it('are for versions that are known, and no other', () => {
    expect(() => compartmentOf('5_0_0')).to.throw('FHIR version 5_0_0 is not exported; use one of 4_0_0,')
  })
})
