import { expect } from 'chai'
import { Binary, Decimal128, Long } from 'mongodb'
import type { BulkExportOptions, HostProfile } from '../../plugin/index.js'
import { collectionName } from '../../scripts/host/index.js'
import { population } from '../../scripts/population/index.js'
import { startHost, store, type TestHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

const NOW = '2024-05-01T12:00:00.000Z'
const meta = { lastUpdated: NOW }
const SPECIAL = [
  { resourceType: 'DocumentReference', id: 'relative', meta, content: [{ attachment: { url: 'Binary/b' } }] },
  {
    resourceType: 'DocumentReference',
    id: 'absolute',
    meta,
    content: [{ attachment: { url: 'https://x.org/b' } }],
  },
  { resourceType: 'DocumentReference', id: 'without', meta, description: 'url' },
  { resourceType: 'Binary', id: 'patient-content', meta, securityContext: { reference: 'Patient/p' } },
  { resourceType: 'Binary', id: 'content', meta, contentType: 'text/plain' },
  { resourceType: 'Basic', id: 'offset', meta: { lastUpdated: '2024-05-01T14:00:00.000+02:00' } },
  { resourceType: 'Basic', id: 'early', meta: { lastUpdated: '2023-05-01T12:00:00Z' } },
  { resourceType: 'Basic', id: 'text', meta, text: 'ä "\\\n\u2028\u{1f600}\u0001' },
]
const RESOURCES = [...population({ patients: 12 }), ...SPECIAL]

const NEVER: HostProfile = {
  service: { search: () => Promise.reject(new Error('the service was asked')) },
  versions: ['4_0_0'],
}

describe('an export that reads collections', () => {
  const database = useDatabase()
  let types: readonly string[]
  let open: TestHost | undefined
  beforeEach(async () => {
    types = [...(await store(database, RESOURCES))]
  })
  afterEach(async () => {
    await open?.close()
    open = undefined
  })

  const exported = async (
    parameters: Record<string, string>,
    options: Partial<BulkExportOptions>,
    profiles: Record<string, HostProfile> = {},
  ) => {
    const host = await startHost(database, { types, profiles, options: { maxFileResources: 50, ...options } })
    open = host
    const statusUrl = await host.client.kickOff('system', parameters)
    expect(await host.ended(statusUrl)).to.equal('completed')
    const manifest = await host.manifest(statusUrl)
    const text = async (url: string) => (await (await fetch(url)).text()).replaceAll(host.base, 'BASE')
    const lines = new Map<string, string[]>()
    for (const { type, url, count } of manifest.output) {
      const found = (await text(url)).trimEnd().split('\n')
      expect(found).to.have.length(count).and.length.at.most(50)
      lines.set(type, [...(lines.get(type) ?? []), ...found])
    }
    const errors = await Promise.all(manifest.error.map(async ({ url }) => text(url)))
    await host.close()
    open = undefined
    return { lines: new Map([...lines].map(([type, all]) => [type, all.sort()])), errors: errors.join('') }
  }
  const collections = (type: string, version: string) => collectionName(type, version)

  const requests: readonly Record<string, string>[] = [
    {},
    { _since: '2024-01-01T00:00:00Z' },
    { _since: NOW },
    { _since: '2024-01-01T00:00:00Z', _until: '2024-05-01T12:00:00.001Z' },
    { _until: NOW },
    { _elements: 'Patient.name,Observation.status,id,Basic.text' },
    { _type: 'Patient,Binary,DocumentReference' },
    { _typeFilter: 'Patient?gender=female', _type: 'Patient,Basic' },
  ]
  for (const parameters of requests) {
    it(`has the same lines as one that searches, with ${JSON.stringify(parameters)}`, async () => {
      const searched = await exported(parameters, {})
      const scanned = await exported(parameters, { collections })
      expect([...scanned.lines.keys()]).to.deep.equal([...searched.lines.keys()])
      for (const [type, lines] of searched.lines) expect(scanned.lines.get(type), type).to.deep.equal(lines)
      expect(scanned.errors).to.equal(searched.errors)
    })
  }

  it('takes a time that is kept as a Date for the same, and a resource without one into every window', async () => {
    await store(database, [
      { resourceType: 'Basic', id: 'date', meta: { lastUpdated: new Date(NOW) } },
      { resourceType: 'Basic', id: 'old-date', meta: { lastUpdated: new Date('2020-01-01T00:00:00Z') } },
      { resourceType: 'Basic', id: 'timeless' },
    ])
    const { lines } = await exported({ _type: 'Basic', _since: '2024-01-01T00:00:00Z' }, { collections })
    const ids = (lines.get('Basic') ?? []).map((line) => (JSON.parse(line) as { id: string }).id)
    expect(ids.sort()).to.deep.equal(['date', 'offset', 'text', 'timeless'])
  })

  it('asks no service, except of a type without a collection', async () => {
    const profiles = Object.fromEntries(types.filter((type) => type !== 'Basic').map((type) => [type, NEVER]))
    const but = (type: string, version: string) =>
      type === 'Basic' ? undefined : collectionName(type, version)
    const { lines } = await exported({}, { collections: but }, profiles)
    expect(lines.get('Basic')).to.have.length(3)
    expect(lines.get('DocumentReference')).to.have.length(3)
  })

  it('keeps digits, leaves out null, and names a resource that FHIR JSON has nothing for', async () => {
    const collection = database.db.collection<{ _id: string }>(collectionName('Basic', '4_0_0'))
    await collection.deleteMany({})
    await collection.insertMany([
      {
        _id: 'digits',
        resourceType: 'Basic',
        id: 'digits',
        a: Decimal128.fromString('1.50'),
        b: Long.fromString('9007199254740993'),
      },
      { _id: 'nulls', resourceType: 'Basic', id: 'nulls', a: null, b: [null, 'x'] },
      { _id: 'bad', resourceType: 'Basic', id: 'bad', secret: new Binary(Buffer.from('secret')) },
      { _id: 'other', resourceType: 'Patient', id: 'other' },
    ] as never)
    const { lines, errors } = await exported({ _type: 'Basic' }, { collections })
    expect(lines.get('Basic')).to.deep.equal([
      '{"resourceType":"Basic","id":"digits","a":1.50,"b":9007199254740993}',
      '{"resourceType":"Basic","id":"nulls","b":[null,"x"]}',
    ])
    expect(errors).to.match(/"diagnostics":"Basic\/bad could not be exported: .*secret .*BSON binary/)
    expect(errors.trimEnd().split('\n')).to.have.length(1)
  })

  it('is gone on with after any file by another worker, with nothing lost and nothing doubled', async () => {
    const host = await startHost(database, {
      types,
      options: { collections, maxFileResources: 3, workers: 1 },
    })
    open = host
    const statusUrl = await host.client.kickOff('system', { _type: 'Observation,Claim' })
    for (let stops = 0; stops < 4; stops += 1) {
      await host.bulkExport.stop()
      await host.bulkExport.start()
    }
    expect(await host.ended(statusUrl)).to.equal('completed')
    const found = await host.resources(await host.manifest(statusUrl))
    for (const type of ['Observation', 'Claim']) {
      const expected = RESOURCES.filter(({ resourceType }) => resourceType === type).map(({ id }) => id)
      expect((found.get(type) ?? []).map(({ id }) => id).sort()).to.deep.equal(expected.sort())
    }
  })
})
