import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { BlobServiceClient } from '@azure/storage-blob'
import { expect } from 'chai'
import {
  type BulkExportOptions,
  ContainerError,
  createBulkExport,
  type ExportStorage,
} from '../../plugin/index.js'
import { azureContainers } from '../../plugin/storage/azure-containers.js'
import { folderContainers, storageContainers } from '../../plugin/storage/containers.js'
import { fileStorage } from '../../plugin/storage/file.js'
import { azureSetup } from '../integration/azure-setup.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { outputNames } from '../support/manifest-files.js'
import { useDatabase } from '../support/mongodb.js'
import { type Answer, type Asked, ask } from '../support/raw-http.js'

const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/p1' } },
  {
    ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
    member: [{ entity: { reference: 'Patient/p1' } }],
  },
]
const NAMES = ['Group/g', 'Observation/o1', 'Patient/p1']
const PATHS = ['$export', 'Patient/$export', 'Group/g/$export']
const HOUR = 3_600_000
const LENIENT = { Prefer: 'respond-async, handling=lenient' }

/** A kick-off by GET and one by POST. */
function asking(container: string, headers = {}): readonly (readonly [query: string, asked: Asked])[] {
  const parameter = [{ name: '_container', valueString: container }]
  const body = JSON.stringify({ resourceType: 'Parameters', parameter })
  return [
    [`?${new URLSearchParams({ _container: container })}`, { headers }],
    ['', { method: 'POST', body, headers: { ...headers, 'Content-Type': 'application/fhir+json' } }],
  ]
}

describe('the container of an export', () => {
  const database = useDatabase()
  let folder: string
  let hosts: TestHost[]
  beforeEach(async () => {
    hosts = []
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-containers-'))
  })
  afterEach(async () => {
    await Promise.all(hosts.map((host) => host.close()))
    await rm(folder, { recursive: true, force: true })
  })
  const start = async (storage: ExportStorage, options: Partial<BulkExportOptions> = {}) => {
    const host = await startHost(database, { resources: RESOURCES, options: { storage, ...options } })
    hosts.push(host)
    return host
  }
  const disk = (name = '') => fileStorage(join(folder, name))
  const jobs = () => database.db.collection<{ _id: string; folder: string }>('bulkexport.jobs')
  /** The folders that have files, each with how many. */
  const content = async () => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const paths = entries
      .filter((each) => each.isFile())
      .map(({ parentPath }) => relative(folder, parentPath))
    return Object.fromEntries(
      [...new Set(paths)].map((path) => [path, paths.filter((one) => one === path).length]),
    )
  }
  const folderOf = async (statusUrl: string) =>
    String((await jobs().findOne({ _id: String(statusUrl.split('/').at(-1)) }))?.folder)
  const kickOff = async (host: TestHost, path: string, asked: Asked = {}) => {
    const { status, headers, text } = await ask(`${host.base}/${path}`, asked)
    expect(status, text).to.equal(202)
    return String(headers['content-location'])
  }
  const exported = async (host: TestHost, path: string, asked: Asked = {}) => {
    const statusUrl = await kickOff(host, path, asked)
    const manifest = await host.manifest(statusUrl)
    expect(await outputNames(manifest)).to.deep.equal(NAMES)
    expect(manifest.error).to.deep.equal([])
    return statusUrl
  }
  const issueOf = ({ text }: Answer) => {
    const { resourceType, issue } = JSON.parse(text)
    expect(resourceType).to.equal('OperationOutcome')
    expect(issue).to.have.length(1)
    return issue[0] as { code: string; diagnostics: string; expression: readonly string[] }
  }
  const expectRefused = async (host: TestHost, path: string, asked: Asked, says: RegExp) => {
    const [before, stored] = [await content(), await jobs().countDocuments()]
    const answer = await ask(`${host.base}/${path}`, asked)
    expect(answer.status, `${path} ${answer.text}`).to.equal(400)
    const { code, diagnostics, expression } = issueOf(answer)
    expect(diagnostics)
      .to.match(/_container/)
      .and.match(says)
    expect(diagnostics.length).to.be.below(400)
    expect([code, expression]).to.deep.equal([code === 'required' ? 'required' : 'value', ['_container']])
    expect(await jobs().countDocuments()).to.equal(stored)
    expect(await content()).to.deep.equal(before)
  }

  it('is the one that the client picks, at each level, by each method, lenient or not', async () => {
    const host = await start(folderContainers(disk(), { fallback: 'unpicked' }), { manifestFile: true })
    for (const path of PATHS) {
      for (const headers of [{}, LENIENT]) {
        for (const [query, asked] of asking('picked', headers)) {
          const statusUrl = await exported(host, path + query, asked)
          const at = await folderOf(statusUrl)
          expect(at).to.match(/^picked\/\d{8}T\d{6}Z_[0-9a-f]{32}$/)
          expect(await content()).to.deep.equal({ [at]: 4 })
          await host.client.remove(statusUrl)
          expect(await content()).to.deep.equal({})
        }
      }
    }
    const at = await folderOf(await exported(host, '$export'))
    expect(at).to.match(/^unpicked\//)
    expect(await content()).to.deep.equal({ [at]: 4 })
  })

  it('loses what an export has there when that is deleted or expires, and nothing else', async () => {
    const host = await start(folderContainers(disk(), { fallback: 'unpicked' }), { retention: HOUR })
    const [first, second, third] = [
      await exported(host, '$export?_container=one'),
      await exported(host, '$export?_container=one'),
      await exported(host, '$export'),
    ]
    const [atSecond, atThird] = [await folderOf(second), await folderOf(third)]
    await host.client.remove(first)
    expect(await content()).to.deep.equal({ [atSecond]: 3, [atThird]: 3 })
    await jobs().updateOne({ folder: atSecond }, [{ $set: { endedAt: { $subtract: ['$$NOW', HOUR] } } }])
    await host.bulkExport.stop()
    await host.bulkExport.start()
    expect((await ask(second)).status).to.equal(404)
    expect(await content()).to.deep.equal({ [atThird]: 3 })
    expect((await ask(third)).status).to.equal(200)
  })

  it('is refused when it is none, however lenient the handling, and nothing is stored', async () => {
    await disk().write('secret/a', oneByte())
    const host = await start(folderContainers(disk('exports')))
    const wrong = [
      ...[
        '',
        '.',
        '..',
        '../secret',
        '../../x',
        '/etc',
        'a/b',
        'a\\b',
        'Upper',
        'x'.repeat(200),
        'a--b',
        '%2e%2e',
      ],
      ...['ab\0', 'äöü', ' ab', 'abc ', 'a.b', '$root', `20240501t120000z-${'0'.repeat(32)}`],
    ]
    for (const name of wrong) {
      for (const headers of [{}, LENIENT]) {
        for (const [query, asked] of asking(name, headers)) {
          await expectRefused(host, `$export${query}`, asked, /is not the name|cannot be picked/)
        }
      }
    }
    for (const path of PATHS) {
      await expectRefused(host, `${path}?_container=abc&_container=abc`, {}, /only once/)
      await expectRefused(host, `${path}?_container=Abc`, {}, /3 to 63 lower-case letters/)
    }
    expect(await content()).to.deep.equal({ secret: 1 })
  })

  it('is refused when it is not one of a list, or none is picked where one has to be', async () => {
    const host = await start(storageContainers({ one: disk('1'), two: disk('2') }))
    await expectRefused(host, '$export', {}, /wants the name/)
    for (const [query, asked] of asking('three', LENIENT)) {
      await expectRefused(host, `$export${query}`, asked, /There is no container "three"/)
    }
    const at = await folderOf(await exported(host, '$export?_container=two'))
    expect(await content()).to.deep.equal({ [at.replace(/^two/, '2')]: 3 })
  })

  it('is one for the export alone where the client picks none, which goes with it', async () => {
    const host = await start(folderContainers(disk()))
    const [first, second] = [await exported(host, '$export'), await exported(host, '$export')]
    const at = await folderOf(second)
    const [own = '', inside = ''] = at.split('/')
    expect(own).to.equal(inside.toLowerCase().replace('_', '-'))
    await host.client.remove(first)
    expect(await readdir(folder)).to.deep.equal([own])
    expect(await content()).to.deep.equal({ [at]: 3 })
  })

  it('counts in what makes two exports the same', async () => {
    const options = { refuseDuplicates: true, workers: 0 }
    const host = await start(folderContainers(disk()), options)
    for (const query of ['', '?_container=one', '?_container=two']) await kickOff(host, `$export${query}`)
    for (const query of ['', '?_container=one', '?_container=two']) {
      expect((await ask(`${host.base}/$export${query}`)).status).to.equal(429)
    }
  })

  it('is not left behind by kick-offs that are refused after it was opened', async () => {
    const inner = folderContainers(disk())
    const open = new Set<string>()
    const storage: ExportStorage = {
      ...inner,
      async removeAll(prefix) {
        await inner.removeAll(prefix)
        open.delete(prefix)
      },
      containers: {
        async open(picked, name) {
          const container = await inner.containers?.open(picked, name)
          open.add(`${container}/${name}`)
          return String(container)
        },
      },
    }
    const host = await start(storage, { maxRunningExports: 2, workers: 0 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${host.base}/$export`)))
    expect(answers.filter(({ status }) => status === 202)).to.have.length(2)
    const stored = await jobs().find().toArray()
    expect([...open].sort()).to.deep.equal(stored.map((job) => job.folder).sort())
  })

  const failures: readonly (readonly [what: string, reason: unknown, status: number, code: string])[] = [
    ['refuses', new ContainerError('Not this one.'), 400, 'value'],
    ['fails', new Error('The credential key=s3cret is wrong.'), 503, 'no-store'],
  ]
  for (const [what, reason, status, code] of failures) {
    it(`is ${status} when the storage ${what}, and nothing is stored`, async () => {
      const open = () => Promise.reject(reason)
      const host = await start({ ...disk(), containers: { open } })
      const answer = await ask(`${host.base}/$export?_container=abc`, { headers: LENIENT })
      expect([answer.status, issueOf(answer).code]).to.deep.equal([status, code])
      expect(answer.text).not.to.include('s3cret')
      expect(await jobs().countDocuments()).to.equal(0)
      expect(host.log.some(({ message }) => message === 'storage.unusable')).to.equal(status === 503)
    })
  }

  it('cannot be had of a storage whose containers cannot be opened', () => {
    const mongodb = { uri: 'mongodb://127.0.0.1/fhir' }
    for (const containers of [{}, null, ['one']]) {
      const storage = { ...disk(), containers } as unknown as ExportStorage
      expect(() => createBulkExport({ config: { profiles: {} }, mongodb, storage })).to.throw(/storage/)
    }
  })

  it('is an unknown parameter where the storage has none', async () => {
    const host = await start(disk())
    expect((await ask(`${host.base}/$export?_container=abc`)).status).to.equal(400)
    const manifest = await host.manifest(await kickOff(host, '$export?_container=abc', { headers: LENIENT }))
    expect(manifest.error).to.have.length(1)
    expect(Object.keys(await content()).join()).not.to.include('abc')
  })

  describe('of Azure', () => {
    const azure = azureSetup()
    const service = () => BlobServiceClient.fromConnectionString(azure.azurite.connectionString)
    const containers = async () => {
      const names: string[] = []
      for await (const { name } of service().listContainers()) names.push(name)
      return names
    }
    const fetched = async (host: TestHost, statusUrl: string) => {
      const { output, requiresAccessToken } = await host.manifest(statusUrl)
      expect(requiresAccessToken).to.equal(false)
      return Promise.all(output.map(async ({ url }) => (await fetch(url)).text()))
    }

    it('has the files, and nobody else', async () => {
      const { connectionString } = azure.azurite
      const picked = azure.container.containerName
      const host = await start(azureContainers({ connectionString }), { signedUrls: HOUR })
      const ours = await kickOff(host, `$export?_container=${picked}`)
      const own = await kickOff(host, '$export')
      for (const statusUrl of [ours, own]) {
        const texts = await fetched(host, statusUrl)
        expect(texts.map((text) => JSON.parse(text).id).sort()).to.deep.equal(['g', 'o1', 'p1'])
      }
      const [ownName = ''] = (await folderOf(own)).split('/')
      expect(await containers()).to.have.members([picked, ownName])
      expect(await azure.names()).to.have.length(3)
      for (const name of ['not-there', '../x', 'Upper', 'x'.repeat(200)]) {
        const [[query, asked] = ['', {}]] = asking(name, LENIENT)
        await expectRefused(host, `$export${query}`, asked, /There is no container|is not the name/)
      }
      await host.client.remove(own)
      expect(await containers()).to.deep.equal([picked])
      expect(await azure.names()).to.have.length(3)
      await host.client.remove(ours)
      expect(await azure.names()).to.deep.equal([])
      expect(await containers()).to.deep.equal([picked])
    })
  })
})

async function* oneByte(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x')
}
