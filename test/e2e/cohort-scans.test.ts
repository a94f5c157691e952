import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { type Document, ObjectId } from 'mongodb'
import type { BulkExportOptions, ExportStorage } from '../../plugin/index.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { collectionName, ensureIndexes } from '../../scripts/host/index.js'
import { population } from '../../scripts/population/index.js'
import { startHost, store, type TestHost } from '../support/export-host.js'
import {
  exportedLines,
  kickOff,
  linesOf,
  type Parameters,
  queryingProfiles,
} from '../support/exported-lines.js'
import { useDatabase } from '../support/mongodb.js'

const NOW = '2024-05-01T12:00:00.000Z'
const meta = { lastUpdated: NOW }
const OTHERS = Array.from({ length: 700 }, (_, index) => `${index < 350 ? 'a' : 'x'}${index}`)
const POPULATION = [...population({ patients: 25 })]
/** More than are read for at once, and few among all patients; those with records are in the middle of the order. */
const MEMBERS = ['p1', 'p2', 'p3', 'p5', 'p10', 'p20', ...OTHERS.slice(304, 359), 'nobody']
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true, meta },
  member: MEMBERS.map((id) => ({ entity: { reference: `Patient/${id}` } })),
}
const sorted = [...MEMBERS].sort()
const [first, last] = [sorted[0] as string, sorted.at(-1) as string]

/** The services of the host find their way through keys of different kinds on one page only. */
const LIMITS = { maxFileResources: 20, pageSize: 4999 }

/** References in all forms, to members and others, from documents with keys of all kinds. */
function special(base: string): readonly Document[] {
  const to = (...references: readonly string[]) => references.map((reference) => ({ reference }))
  const subject = (reference: string) => ({ subject: { reference } })
  const observations: readonly Document[] = [
    { ...subject('Patient/p1/_history/2'), _id: new ObjectId() },
    { ...subject(`${base}/Patient/p1`), _id: 7 },
    { ...subject(`${base}/Patient/p1/_history/3`), _id: { a: 1 } },
    { ...subject('https://other.example.org/4_0_0/Patient/p1'), _id: true },
    { ...subject('Patient/p4'), _id: new Date(5) },
    { ...subject('Patient/p1x'), _id: 8.5 },
    { ...subject('Patient/p10.1'), _id: 'special' },
    { ...subject('Group/p1') },
    { ...subject('Patient/p4'), performer: to('Practitioner/p1', 'Patient/p2') },
    { ...subject(`Patient/${last}`), performer: to(`Patient/${first}`, 'Patient/p5', 'Patient/p4') },
    { ...subject(`Patient/${last}`), performer: to(`${base}/Patient/${first}/_history/1`) },
    { ...subject(`Patient/${first}`), performer: to(`Patient/${last}`, `Patient/${first}`) },
    { performer: to('Patient/p3'), focus: to('Patient/p1') },
    { focus: to('Patient/p1') },
    { ...subject('Patient/p2'), text: '\u2028"ä' },
    { ...subject('Patient/p2'), meta: { lastUpdated: '2023-01-15T02:00:00+02:00' } },
  ]
  return observations.map((observation, index) => {
    return {
      _id: `special-${index}`,
      resourceType: 'Observation',
      id: `special-${index}`,
      meta,
      ...observation,
    }
  })
}

/** A storage in a folder that fails with every fourth file, after it has taken its lines. */
function stumbling(folder: string): ExportStorage {
  const storage = fileStorage(pathToFileURL(folder).href)
  let writes = 0
  return {
    ...storage,
    async write(key, source, options) {
      writes += 1
      if (writes % 4 !== 0) return storage.write(key, source, options)
      for await (const chunk of source) expect(chunk.length).to.be.above(0)
      throw Object.assign(new Error('The disk is full.'), { code: 'ENOSPC' })
    },
  }
}

describe('patient and group exports that read collections', function () {
  this.timeout(60_000)
  const database = useDatabase()
  let types: readonly string[]
  let open: TestHost | undefined
  beforeEach(async () => {
    const others = OTHERS.map((id) => ({ resourceType: 'Patient', id, meta, gender: 'other' }))
    types = [...(await store(database, [...POPULATION, ...others, GROUP]))]
  })
  const folders: string[] = []
  afterEach(async () => {
    await open?.close()
    open = undefined
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })

  const start = async (scans: boolean, options: Partial<BulkExportOptions> = {}) => {
    const all = queryingProfiles(database)
    const profiles = scans ? Object.fromEntries(types.map((type) => [type, all[type] as never])) : {}
    open = await startHost(database, { types, profiles, options: { ...LIMITS, ...options } })
    const observations = database.db.collection(collectionName('Observation', '4_0_0'))
    await observations.deleteMany({ id: /^special/ })
    await observations.insertMany([...special(open.base)])
    return open
  }
  const exported = async (scans: boolean, path: string, parameters: Parameters) => {
    const found = await exportedLines(await start(scans), database, path, parameters)
    await open?.close()
    open = undefined
    return found
  }

  const GROUP_EXPORT = 'Group/g/$export'
  const EVERYONE = 'Patient/$export'
  const patient = ['p1', 'p10', 'p11', 'x355'].map((id) => `Patient/${id}`)
  const filter = [
    'Observation?status=final',
    'Observation?category=laboratory',
    'Patient?gender=female,other',
  ]
  const requests: readonly (readonly [path: string, parameters: Parameters])[] = [
    [GROUP_EXPORT, {}],
    [GROUP_EXPORT, { _since: '2024-01-01T00:00:00Z', _until: NOW }],
    [GROUP_EXPORT, { _typeFilter: filter, _type: 'Patient,Observation,Condition' }],
    [GROUP_EXPORT, { _elements: 'Patient.name,Observation.status,id', _since: '2023-06-01T00:00:00Z' }],
    [GROUP_EXPORT, { patient: [...patient.slice(0, 2), 'Patient/x355'] }],
    [EVERYONE, {}],
    [EVERYONE, { _typeFilter: filter[0] as string, _until: NOW, _type: 'Observation' }],
    [EVERYONE, { patient }],
    [EVERYONE, { patient, _since: '2024-01-10T00:00:00Z', _elements: 'Observation.subject' }],
  ]
  for (const isIndexed of [false, true]) {
    for (const [path, parameters] of requests) {
      const isByPatients = isIndexed && (path !== EVERYONE || 'patient' in parameters)
      const way = isByPatients ? 'by patients' : 'by ranges'
      const asked = `${path} ${JSON.stringify(parameters)}${isIndexed ? ', with indexes' : ''}`
      it(`give the same lines ${way} as through the services: ${asked}`, async () => {
        if (isIndexed) await ensureIndexes(database.db, types)
        const searched = await exported(false, path, parameters)
        const scanned = await exported(true, path, parameters)
        expect([...scanned.lines.keys()]).to.deep.equal([...searched.lines.keys()])
        expect(searched.lines.get('Observation')).to.have.length.above(0)
        for (const [type, lines] of searched.lines) expect(scanned.lines.get(type), type).to.deep.equal(lines)
        expect(scanned.errors).to.deep.equal(searched.errors)
        const plans = Object.entries(scanned.job.scans ?? {}).filter(([, { by }]) => by !== 'nothing')
        expect(plans.length).to.equal(scanned.job.types.length)
        for (const [type, { by }] of plans) expect(by, type).to.equal(isByPatients ? 'patients' : 'ranges')
      })
    }
  }

  for (const path of ['$export', EVERYONE, GROUP_EXPORT]) {
    it(`give the same lines in threads as without: ${path}`, async () => {
      if (path === GROUP_EXPORT) await ensureIndexes(database.db, types)
      const expected = await exported(true, path, {})
      const host = await start(true, { scan: { threads: 2 } })
      const found = await exportedLines(host, database, path)
      expect(found.lines).to.deep.equal(expected.lines)
      expect(found.errors).to.deep.equal(expected.errors)
      expect(Object.keys(found.job.scans ?? {}).length).to.equal(found.job.types.length)
      expect(host.log.some(({ message }) => message.startsWith('scan-thread.'))).to.equal(false)
    })
  }

  for (const isIndexed of [false, true]) {
    it(`go on ${isIndexed ? 'within a batch of patients' : 'within a range'} where another worker stopped`, async () => {
      if (isIndexed) await ensureIndexes(database.db, types)
      const expected = await exported(false, GROUP_EXPORT, { _type: 'Observation,Claim,Patient' })
      const storage = mkdtempSync(join(tmpdir(), 'bulk-export-test-'))
      folders.push(storage)
      const host = await start(true, { maxFileResources: 11, storage: stumbling(storage) })
      const statusUrl = await kickOff(host, GROUP_EXPORT, { _type: 'Observation,Claim,Patient' })
      expect(await host.ended(statusUrl)).to.equal('completed')
      const { lines } = await linesOf(host, database, statusUrl)
      for (const [type, all] of expected.lines) expect(lines.get(type), type).to.deep.equal(all)
      const retried = host.log.filter(({ message }) => message === 'task.retried')
      expect(retried).to.have.length.above(3)
    })
  }

  it('share a cohort of several slices among workers, each resource once', async () => {
    const patients = Array.from({ length: 12_000 }, (_, index) => `y${index}`)
    const members = patients.filter((_, index) => index % 10 === 0)
    const ordered = [...members].sort()
    const [lowest, highest] = [ordered[0] as string, ordered.at(-1) as string]
    const to = (id: string) => ({ reference: `Patient/${id}` })
    const condition = (id: string, subject: string, asserter: string) => {
      return { resourceType: 'Condition', id, meta, subject: to(subject), asserter: to(asserter) }
    }
    const conditions = [
      ...ordered.map((id, index) =>
        condition(`next-${id}`, id, ordered[(index + 1) % ordered.length] as string),
      ),
      ...[
        condition('ends', highest, lowest),
        condition('half', 'y1', highest),
        condition('none', 'y1', 'y2'),
      ],
    ]
    await store(database, [
      ...patients.map((id) => ({ resourceType: 'Patient', id, meta })),
      ...conditions,
      { ...GROUP, id: 'large', member: members.map((id) => ({ entity: to(id) })) },
    ])
    await ensureIndexes(database.db, types)
    const host = await start(true, { maxFileResources: 100_000, workers: 4 })
    const { lines, job } = await exportedLines(host, database, 'Group/large/$export', {
      _type: 'Condition,Patient',
    })
    expect(job.slices).to.have.length(1)
    expect(Object.values(job.scans ?? {}).map(({ by }) => by)).to.deep.equal(['patients', 'patients'])
    const ids = (type: string) =>
      (lines.get(type) ?? []).map((line) => (JSON.parse(line) as { id: string }).id).sort()
    expect(ids('Patient')).to.deep.equal(ordered)
    expect(ids('Condition')).to.deep.equal(
      conditions
        .map(({ id }) => id)
        .filter((id) => id !== 'none')
        .sort(),
    )
    expect(host.log.filter(({ message }) => message === 'task.done')).to.have.length(4)
  })
})
