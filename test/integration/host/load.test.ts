import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { ensureIndexes, loadFolder, searchFilter } from '../../../scripts/host/index.js'
import { useDatabase } from '../../support/mongodb.js'

describe('loadFolder', () => {
  const database = useDatabase()
  let directory: string

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'load-test-'))
  })
  afterEach(() => rm(directory, { recursive: true }))

  const write = (file: string, ...lines: (object | string)[]) => {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
    return writeFile(join(directory, file), file.endsWith('.gz') ? gzipSync(text) : text)
  }
  const load = () => loadFolder({ db: database.db, directory })
  const stored = (type: string) => database.db.collection(`${type}_4_0_0`).find().sort({ _id: 1 }).toArray()
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.fail('it did not fail'),
      (error: Error) => error.message,
    )

  const patient = (id: string, content: object = {}) => ({ resourceType: 'Patient', id, ...content })

  it('stores each resource under its type and id, whatever the file is called', async () => {
    await write('x.ndjson', patient('a'), { resourceType: 'Group', id: 'a', name: 'line\u2028separator' })
    await write('Patient.000.ndjson.gz', patient('b', { active: true }))
    await write('notes.txt', 'not for loading')
    const { files, resources } = await load()
    expect(files).to.deep.equal(['Patient.000.ndjson.gz', 'x.ndjson'])
    expect(Object.fromEntries(resources)).to.deep.equal({ Patient: 2, Group: 1 })
    expect(await stored('Patient')).to.deep.equal([
      { _id: 'a', resourceType: 'Patient', id: 'a' },
      { _id: 'b', resourceType: 'Patient', id: 'b', active: true },
    ])
    expect(await stored('Group')).to.deep.include({
      _id: 'a',
      resourceType: 'Group',
      id: 'a',
      name: 'line\u2028separator',
    })
  })

  it('changes nothing when done again, and replaces what is different', async () => {
    await write('a.ndjson', patient('a', { gender: 'male' }), patient('b'))
    await load()
    await load()
    expect(await stored('Patient')).to.have.length(2)
    await write('a.ndjson', patient('a', { active: true }))
    await load()
    expect(await stored('Patient')).to.deep.equal([
      { _id: 'a', resourceType: 'Patient', id: 'a', active: true },
      { _id: 'b', resourceType: 'Patient', id: 'b' },
    ])
  })

  it('lets the last of several lines with one id count', async () => {
    await write('a.ndjson', patient('a', { gender: 'male' }), patient('b'), patient('a', { gender: 'other' }))
    expect((await load()).resources.get('Patient')).to.equal(3)
    expect((await stored('Patient')).map(({ gender }) => gender)).to.deep.equal(['other', undefined])
  })

  it('loads more than a batch, lines of any length, blank ones, and other line ends', async () => {
    const long = 'ä'.repeat(300_000)
    const many = Array.from({ length: 2500 }, (_, index) => patient(`p${index}`))
    await write(
      'a.ndjson',
      ...many,
      '',
      '   ',
      patient('long', { text: { div: long } }),
      `${JSON.stringify(patient('crlf'))}\r`,
      '',
    )
    const progress: number[] = []
    await loadFolder({ db: database.db, directory, onProgress: ({ resources }) => progress.push(resources) })
    expect(progress).to.deep.equal([1000, 2000, 2502])
    expect(await stored('Patient')).to.have.length(2502)
    const found = await database.db
      .collection<{ _id: string; text: { div: string } }>('Patient_4_0_0')
      .findOne({ _id: 'long' })
    expect(found?.text.div).to.equal(long)
  })

  it('loads types that the host does not serve', async () => {
    await write('a.ndjson', { resourceType: 'CatalogEntry', id: 'a' })
    await load()
    expect(await stored('CatalogEntry')).to.have.length(1)
  })

  it('names file and line of what is no resource, without quoting it', async () => {
    await write('bad.ndjson', patient('a'), '', '{"secret":')
    expect(await failure(load())).to.equal('bad.ndjson, line 3: not JSON.')
    await write('bad.ndjson', patient('a'), { id: 'b' })
    expect(await failure(load())).to.equal('bad.ndjson, line 2: no FHIR resource, as it has no resourceType.')
    await write('bad.ndjson', 'null')
    expect(await failure(load())).to.match(/^bad\.ndjson, line 1: no FHIR resource/)
    await write('bad.ndjson', patient('a_b'))
    expect(await failure(load())).to.equal('bad.ndjson, line 1: the Patient has no id that FHIR allows.')
  })

  it('names a file that cannot be unpacked, and a folder without files', async () => {
    expect(await failure(load())).to.match(/^There are no \*\.ndjson or \*\.ndjson\.gz files in /)
    await writeFile(join(directory, 'bad.ndjson.gz'), 'not packed')
    expect(await failure(load())).to.match(/^bad\.ndjson\.gz: /)
    await writeFile(join(directory, 'bad.ndjson.gz'), gzipSync(JSON.stringify(patient('a'))).subarray(0, 20))
    expect(await failure(load())).to.match(/^bad\.ndjson\.gz: /)
  })
})

describe('ensureIndexes', () => {
  const database = useDatabase()
  const keysOf = async (type: string) =>
    (await database.db.collection(`${type}_4_0_0`).indexes()).map(({ key }) => Object.keys(key).join(' '))

  it('indexes the collections there are, and makes none', async () => {
    const collection = database.db.collection<{ _id: string }>('Coverage_4_0_0')
    await collection.insertOne({ _id: 'a' })
    await database.db.collection('other').insertOne({})
    await ensureIndexes(database.db)
    await ensureIndexes(database.db)
    expect(await keysOf('Coverage')).to.have.members([
      '_id',
      'meta.lastUpdated',
      'beneficiary.reference _id',
      'subscriber.reference _id',
      'policyHolder.reference _id',
      'payor.reference _id',
    ])
    expect(await database.db.listCollections().toArray()).to.have.length(2)
  })

  it('lets the pages of a search by many patients come out of an index', async () => {
    await ensureIndexes(database.db, ['Observation'])
    const filter = searchFilter('Observation', { patient: 'a,b,c' }, { base: 'http://h/4_0_0' })
    const plan = await database.db
      .collection('Observation_4_0_0')
      .find(filter)
      .sort({ _id: 1 })
      .limit(10)
      .explain()
    const text = JSON.stringify(plan['queryPlanner'].winningPlan)
    expect(text).to.contain('"IXSCAN"').and.to.contain('subject.reference').and.to.not.contain('"SORT"')
  })
})
