import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import {
  type BulkExportOptions,
  ContainerError,
  type DoctorOptions,
  type ExportStorage,
  runDoctor,
} from '../../../plugin/index.js'
import { folderContainers } from '../../../plugin/storage/containers.js'
import { fileStorage } from '../../../plugin/storage/file.js'
import { withClock } from '../../support/clock.js'
import { useDatabase } from '../../support/mongodb.js'
import { type DoctorHost, doctorHost, troubles } from './doctor-host.js'
import { modelProfile } from './model-service.js'

const PATIENT = {
  resourceType: 'Patient',
  id: 'secret-p',
  meta: { lastUpdated: '2024-05-01T12:00:00.000Z' },
}
const PROFILES = { Patient: modelProfile([PATIENT]), Group: modelProfile([]) }

describe('the doctor on a host', () => {
  const database = useDatabase()
  let open: DoctorHost | undefined
  afterEach(async () => {
    await open?.close()
    open = undefined
  })
  const openHost = async (options: Partial<BulkExportOptions> = {}, profiles: object = PROFILES) => {
    open = await doctorHost(database, profiles as typeof PROFILES, options)
    return open
  }
  const examine = async (options: Partial<BulkExportOptions> = {}, doctor: DoctorOptions = {}) =>
    runDoctor((await openHost(options)).bulkExport, doctor)

  it('finds nothing wrong with a good one that is started', async () => {
    const { bulkExport, log } = await openHost()
    await bulkExport.start()
    const diagnosis = await runDoctor(bulkExport, { nodeEnv: 'production' })
    expect(troubles(diagnosis)).to.deep.equal([])
    expect(diagnosis).to.include({ level: 'ok', isComplete: true })
    expect(diagnosis.readings.map(({ type, way }) => `${type} ${way}`)).to.deep.equal([
      'Group search',
      'Patient search',
    ])
    expect(log.filter(({ message }) => message.startsWith('doctor.'))).to.deep.equal([])
    const areas = new Set(diagnosis.findings.map(({ area }) => area))
    expect([...areas].sort()).to.deep.equal([
      'configuration',
      'database',
      'indexes',
      'reading',
      'storage',
      'work',
    ])
  })

  it('leaves nothing behind, in the database or on the storage, and starts nothing', async () => {
    const { bulkExport, folder } = await openHost({ collections: () => 'patients' })
    await database.db.collection<{ _id: string }>('patients').insertOne({ _id: 'secret-p', ...PATIENT })
    const everything = async () => {
      const collections = await database.db.listCollections().toArray()
      const all = collections.map(async ({ name }) => [
        name,
        await database.db.collection(name).find().toArray(),
        await database.db.collection(name).indexes(),
      ])
      return (await Promise.all(all)).map((each) => JSON.stringify(each)).sort()
    }
    const before = await everything()
    await runDoctor(bulkExport)
    expect(await everything()).to.deep.equal(before)
    expect(await readdir(folder, { recursive: true })).to.deep.equal([])
  })

  it('does not disturb exports, and they do not disturb it', async () => {
    const { bulkExport } = await openHost()
    await bulkExport.start()
    const several = await Promise.all([1, 2, 3].map(() => runDoctor(bulkExport)))
    for (const diagnosis of several) expect(troubles(diagnosis)).to.deep.equal([])
  })

  it('says that nothing works when no process was started', async () => {
    expect(troubles(await examine())).to.deep.equal(['notice own-indexes', 'warning workers'])
  })

  const options: readonly [Partial<BulkExportOptions>, DoctorOptions, readonly string[]][] = [
    [{}, { nodeEnv: 'test' }, ['error']],
    [{ baseUrl: undefined as never }, {}, ['notice']],
    [{ baseUrl: 'https://fhir.example.org/4_0_0' }, {}, ['error']],
    [{ baseUrl: 'http://fhir.example.org' }, {}, ['warning']],
    [{ baseUrl: 'http://localhost:3000' }, {}, ['notice']],
    [{ authorize: undefined as never }, {}, ['warning']],
    [{ authorize: undefined as never }, { nodeEnv: 'test' }, ['warning']],
    [{ writeGrace: 0 }, {}, ['warning']],
    [{ retention: 1000 }, {}, ['warning']],
    [{ stallTimeout: 1000 }, {}, ['warning']],
    [{ lease: 1000 }, {}, ['warning']],
    [{ workers: 0 }, {}, ['notice']],
    [{ maxRunningExports: 5 }, {}, ['notice']],
    [{ writeGrace: 0, workers: 0 }, {}, ['notice', 'warning']],
    [{ config: { profiles: {} } }, {}, ['error', 'notice', 'notice']],
    [{ config: { profiles: {} }, levels: ['system'] }, {}, ['error']],
    [{ config: { profiles: { ...PROFILES, Account: modelProfile([], {}, ['2_0_0']) } } }, {}, ['notice']],
    [
      { config: { profiles: { ...PROFILES, Account: { service: {}, versions: ['4_0_0'] } } } },
      {},
      ['notice'],
    ],
    [
      { config: { profiles: { ...PROFILES, Account: { service: './no/such.js', versions: ['4_0_0'] } } } },
      {},
      ['error'],
    ],
  ]
  for (const [given, doctor, levels] of options) {
    it(`finds ${levels.join(', ')} in the options ${JSON.stringify({ ...given, ...doctor })}`, async () => {
      const found = troubles(await examine(given, doctor), 'configuration')
      expect(found.map((each) => each.split(' ')[0])).to.deep.equal(levels)
    })
  }

  for (const wrong of [{ sample: 0 }, { timeout: 1.5 }, { types: ['Account'] }, { baseUrl: 'none' }]) {
    it(`refuses to begin with ${JSON.stringify(wrong)}`, async () => {
      const { bulkExport } = await openHost()
      const failure = await runDoctor(bulkExport, wrong).catch((error: unknown) => error)
      expect(failure)
        .to.be.instanceOf(Error)
        .with.property('message')
        .that.matches(/^runDoctor: /)
    })
  }

  it('says which clock is ahead', async () => {
    const { bulkExport } = await openHost()
    const diagnosis = await withClock(60_000, () => runDoctor(bulkExport))
    const finding = diagnosis.findings.find(({ check }) => check === 'clock')
    expect(finding).to.include({ level: 'warning' })
    expect(finding?.detail).to.match(/^-(59|60)\d\d\d ms$/)
  })

  it('ends when the database cannot be reached, and looks at what it can', async () => {
    const { bulkExport } = await openHost({
      mongodb: { uri: 'mongodb://user:secret@127.0.0.1:1/x?serverSelectionTimeoutMS=200' },
    })
    const diagnosis = await runDoctor(bulkExport)
    expect(troubles(diagnosis)).to.deep.equal(['error connection'])
    expect(diagnosis.isComplete).to.equal(false)
    expect(diagnosis.findings.some(({ area, level }) => area === 'storage' && level === 'ok')).to.equal(true)
    expect(JSON.stringify([diagnosis, open?.log])).to.not.include('secret')
  })

  describe('finds of the storage', () => {
    const good = () => fileStorage(open?.folder ?? '')
    const storages: readonly [string, Partial<ExportStorage>, readonly string[]][] = [
      ['that it hangs', { check: () => new Promise(() => undefined) }, ['error files']],
      ['that it takes nothing', { check: () => Promise.reject(new Error('secret')) }, ['error files']],
      ['that writing fails', { write: () => Promise.reject(new Error('secret')) }, ['error files']],
      [
        'that it gives other bytes',
        { read: async () => Readable.from([Buffer.from('x')]) },
        ['error files', 'error files'],
      ],
      ['that it knows no ranges', { read: (key) => good().read(key) }, ['error files']],
      ['that it removes nothing', { removeAll: async () => undefined }, ['error files']],
      ['that removing fails', { removeAll: () => Promise.reject(new Error('secret')) }, ['error files']],
      ['that nothing is wrong with a good one', {}, []],
      [
        'that it makes no container',
        { containers: { open: () => Promise.reject(new Error('secret')) } },
        ['error files'],
      ],
    ]
    for (const [name, bad, found] of storages) {
      it(name, async () => {
        const storage = new Proxy({} as ExportStorage, {
          get: (_, member: keyof ExportStorage) => bad[member] ?? good()[member],
        })
        const diagnosis = await examine({ storage }, { stepTimeout: 500 })
        expect(troubles(diagnosis, 'storage')).to.deep.equal(found)
        expect(JSON.stringify(diagnosis)).to.not.include('secret')
      })
    }

    it('that there is a file where its folder should be', async () => {
      const { folder } = await openHost()
      await writeFile(join(folder, 'file'), '')
      await open?.bulkExport.stop()
      open = await doctorHost(database, PROFILES, {
        storage: pathToFileURL(join(folder, 'file', 'exports')).href,
      })
      expect(troubles(await runDoctor(open.bulkExport), 'storage')).to.deep.equal(['error files'])
      await rm(folder, { recursive: true })
    })

    it('that clients have to pick a container', async () => {
      const { folder } = await openHost()
      const containers = { open: () => Promise.reject(new ContainerError('Pick one.')) }
      const storage = { ...fileStorage(folder), containers }
      await open?.close()
      open = await doctorHost(database, PROFILES, { storage })
      expect(troubles(await runDoctor(open.bulkExport), 'storage')).to.deep.equal(['notice files'])
    })

    it('that a container of its own is made and removed', async () => {
      const { folder } = await openHost()
      const storage = folderContainers(fileStorage(folder))
      await open?.close()
      open = await doctorHost(database, PROFILES, { storage })
      expect(troubles(await runDoctor(open.bulkExport), 'storage')).to.deep.equal([])
      expect(await readdir(folder, { recursive: true }).catch(() => [])).to.deep.equal([])
    })

    for (const [works, found] of [
      [true, []],
      [false, ['error files']],
    ] as const) {
      it(`that signed URLs ${works ? 'work' : 'do not work'}`, async () => {
        const signedUrl = async (key: string) => {
          const pieces: Buffer[] = []
          for await (const piece of await good().read(key)) pieces.push(piece)
          const bytes = works ? Buffer.concat(pieces) : Buffer.from('secret')
          return `data:application/fhir+ndjson;base64,${bytes.toString('base64')}`
        }
        const storage = new Proxy({} as ExportStorage, {
          get: (_, member: keyof ExportStorage) => (member === 'signedUrl' ? signedUrl : good()[member]),
        })
        const diagnosis = await examine({ storage, signedUrls: 60_000 })
        expect(troubles(diagnosis, 'storage')).to.deep.equal(found)
        expect(JSON.stringify(diagnosis)).to.not.include('data:')
      })
    }
  })
})
