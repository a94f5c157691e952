import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import {
  ContainerClient,
  ContainerSASPermissions,
  type StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { expect } from 'chai'
import { type AzureStorageOptions, azureStorage } from '../../plugin/storage/azure.js'
import { type AzureProxy, startProxy } from './azure-proxy.js'
import { azureSetup, errorOf, source } from './azure-setup.js'

const BLOCK = 1000
const large = 'x'.repeat(5 * BLOCK)
/** A team's own client, which tries twice. */
const impatient = (url: string, credential?: StorageSharedKeyCredential) =>
  new ContainerClient(url, credential, { retryOptions: { maxTries: 2, retryDelayInMs: 1 } })

describe('azureStorage on a real server', () => {
  const setup = azureSetup()
  const open = (options: Partial<AzureStorageOptions> = {}) =>
    azureStorage({ client: setup.container, blockSize: BLOCK, ...options })
  const anotherKey = Buffer.from('another key').toString('base64')

  it('keeps keys as blobs below its folder, with their type and coding', async () => {
    const storage = open({ prefix: 'a folder/ä/', accessTier: 'Cool' })
    await storage.write('job/Ä 1', source('small'), { contentType: 'text/plain', contentEncoding: 'gzip' })
    await storage.write('job/2', source(large), { contentType: 'text/html', contentEncoding: 'br' })
    expect(await setup.names()).to.deep.equal(['a folder/ä/job/2', 'a folder/ä/job/Ä 1'])
    const properties = (key: string) => setup.container.getBlobClient(`a folder/ä/${key}`).getProperties()
    const facts = { contentType: 'text/plain', contentEncoding: 'gzip', accessTier: 'Cool' }
    expect(await properties('job/Ä 1')).to.include(facts)
    const others = { contentType: 'text/html', contentEncoding: 'br', accessTier: 'Cool' }
    expect(await properties('job/2')).to.include(others)
  })

  it('gives nothing of a range behind the last byte', async () => {
    const storage = open()
    for (const [key, content] of [
      ['empty', ''],
      ['short', 'abc'],
    ] as const) {
      await storage.write(key, source(content))
      expect(await text(await storage.read(key, { start: content.length, end: 9 }))).to.equal('')
    }
  })

  it('lets go of what nobody reads on', async () => {
    const storage = open({ blockSize: 8_000_000 })
    await storage.write('a', source('x'.repeat(4_000_000)))
    for (let turn = 0; turn < 20; turn += 1) {
      const stream = await storage.read('a')
      const closed = once(stream, 'close')
      if (turn % 2 === 0) await once(stream, 'readable')
      stream.destroy()
      await closed
    }
    expect((await buffer(await storage.read('a'))).length).to.equal(4_000_000)
  })

  it('leaves nothing when it is checked', async () => {
    await open().check()
    expect(await setup.names()).to.deep.equal([])
  })

  it('says when the container is removed in the middle of a write', async () => {
    async function* removing() {
      yield Buffer.from(large)
      await setup.container.delete()
      yield Buffer.from(large)
    }
    const error = await errorOf(open().write('job/a', removing()), setup.azurite.accountKey)
    expect(error).to.include({ code: 'ContainerNotFound', statusCode: 404 })
    expect(error.message).to.match(/^Writing job\/a: /)
    for (const attempt of [
      () => open().read('job/a'),
      () => open().removeAll('job'),
      () => open().removeOthers('job', new Set()),
    ]) {
      expect(await errorOf(attempt(), setup.azurite.accountKey)).to.include({ code: 'ContainerNotFound' })
    }
  })

  describe('check names the place, the reason and the remedy', () => {
    const connection = () => setup.azurite.connectionString
    const readOnly = async () => {
      const permissions = ContainerSASPermissions.parse('r')
      const expiresOn = new Date(Date.now() + 60_000)
      const signature = new URL(await setup.container.generateSasUrl({ permissions, expiresOn })).search
      return { accountUrl: `${setup.azurite.url}${signature}`, container: setup.container.containerName }
    }
    const cases: readonly [
      string,
      () => AzureStorageOptions | Promise<AzureStorageOptions>,
      { readonly code: string; readonly statusCode?: number },
      RegExp,
    ][] = [
      [
        'the container is missing',
        () => ({ connectionString: connection(), container: 'missing' }),
        { code: 'ContainerNotFound', statusCode: 404 },
        /container missing of the Azure account bulkexport .*make it, or correct its name/,
      ],
      [
        'the key is wrong',
        () => ({
          connectionString: connection().replace(setup.azurite.accountKey, anotherKey),
          container: setup.container.containerName,
        }),
        { code: 'AuthorizationFailure', statusCode: 403 },
        /container c[-\w]+ of the Azure account bulkexport .*the key may be wrong/,
      ],
      [
        'there is no right to write',
        readOnly,
        { code: 'AuthorizationPermissionMismatch', statusCode: 403 },
        /Storage Blob Data Contributor/,
      ],
      [
        'the server is not there',
        () => ({ client: impatient('http://127.0.0.1:1/account/exports?sig=secret') }),
        { code: 'ECONNREFUSED' },
        /container exports .*cannot be reached: check/,
      ],
    ]
    for (const [what, options, facts, message] of cases) {
      it(`when ${what}`, async () => {
        const storage = azureStorage(await options())
        const error = await errorOf(storage.check(), setup.azurite.accountKey, anotherKey, 'secret')
        expect(error).to.include(facts)
        expect(error.message).to.match(message)
      })
    }
  })

  describe('a server that accepts and is silent', () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
    })
    before('start it', async () => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    })
    after('stop it', async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    })
    const silent = (timeout: number) =>
      azureStorage({
        accountUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/account?sig=secret`,
        container: 'exports',
        ...{ timeout, blockSize: BLOCK },
      })

    it('does not hang anybody', async () => {
      const storage = silent(100)
      for (const attempt of [
        () => storage.write('a', source('small')),
        () => storage.write('a', source(large)),
        () => storage.read('a'),
        () => storage.removeAll('a'),
        () => storage.removeOthers('a', new Set()),
        () => storage.check(),
      ]) {
        expect(await errorOf(attempt(), 'secret')).to.have.property('code', 'ETIMEDOUT')
      }
    })

    it('does not keep an abort waiting while blocks are on their way', async () => {
      const controller = new AbortController()
      async function* endless() {
        for (;;) yield Buffer.from(large)
      }
      const writing = silent(60_000).write('a', endless(), { signal: controller.signal })
      const rejected = errorOf(writing)
      await once(server, 'connection')
      controller.abort(new Error('stop'))
      expect(await rejected).to.have.property('message', 'stop')
    })
  })

  describe('a network that loses answers', () => {
    let proxy: AzureProxy
    beforeEach('start it', async () => {
      proxy = await startProxy(setup.azurite.url)
    })
    afterEach('stop it', () => proxy.close())
    const remote = (options: Partial<AzureStorageOptions> = {}) => {
      const { containerName, credential } = setup.container
      const client = impatient(`${proxy.url}/${containerName}`, credential as StorageSharedKeyCredential)
      return azureStorage({ client, blockSize: BLOCK, ...options })
    }
    const isCommit = (line: string) =>
      line.startsWith('PUT') && !line.includes('comp=block&') && !line.includes('restype')
    const sizes: readonly [string, string][] = [
      ['one request', 'small'],
      ['blocks', large],
    ]

    for (const [what, content] of sizes) {
      it(`writes once in ${what} when the answer is lost`, async () => {
        let isLost = false
        proxy.fate = (line) => {
          if (!isCommit(line) || isLost) return 'pass'
          isLost = true
          return 'cut'
        }
        await remote().write('job/a', source(content))
        expect(isLost).to.equal(true)
        expect(await text(await open().read('job/a'))).to.equal(content)
      })

      it(`leaves nothing in ${what} when it is aborted and the server does its work all the same`, async () => {
        const controller = new AbortController()
        proxy.fate = (line) => (isCommit(line) ? 'hold' : 'pass')
        const writing = errorOf(remote().write('job/a', source(content), { signal: controller.signal }))
        await proxy.interfered()
        expect(await setup.names()).to.deep.equal(['job/a'])
        controller.abort(new Error('stop'))
        expect(await writing).to.have.property('message', 'stop')
        expect(await setup.names()).to.deep.equal([])
      })

      it(`does not take another's blob for its own in ${what}`, async () => {
        await open().write('job/a', source('first'))
        proxy.fate = (line) => (isCommit(line) ? 'cut' : 'pass')
        const error = await errorOf(remote().write('job/a', source(content)))
        expect(error).to.have.property('code')
        expect(await text(await open().read('job/a'))).to.equal('first')
      })
    }

    it('asks for the encryption scope with all it writes', async () => {
      const storage = remote({ encryptionScope: 'scope1' })
      for (const [key, content] of sizes) await storage.write(key, source(content))
      // One request; five blocks and the list of them.
      expect(proxy.seen).to.have.length(7)
      for (const headers of proxy.headers) expect(headers).to.include({ 'x-ms-encryption-scope': 'scope1' })
    })

    it('fails a reader when the bytes stop coming', async () => {
      await open({ blockSize: 1_000_000 }).write('a', source('x'.repeat(500_000)))
      proxy.fate = () => 'stall'
      const error = await errorOf(buffer(await remote({ timeout: 300 }).read('a')))
      expect(error).to.have.property('code', 'ETIMEDOUT')
    })

    it('is patient with a reader who pauses', async () => {
      await open({ blockSize: 4_000_000 }).write('a', source('x'.repeat(3_000_000)))
      const stream = await remote({ timeout: 50 }).read('a')
      await once(stream, 'readable')
      // Several times as long as the service may be silent: what is waited for is that nothing happens.
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect((await buffer(stream)).length).to.equal(3_000_000)
    })

    it('drops uncommitted blocks also where a blob that has only those cannot be removed', async () => {
      const storage = remote()
      await setup.container.getBlockBlobClient('job/a').stageBlock('MDA=', 'x', 1)
      await storage.write('job/b', source('kept'))
      let isRefused = false
      proxy.refusal = (line) => {
        if (isRefused || !line.startsWith('DELETE')) return undefined
        isRefused = true
        return 'BlobNotFound'
      }
      expect(await setup.names()).to.deep.equal(['job/a', 'job/b'])
      await storage.removeOthers('job', new Set(['job/b']))
      expect(isRefused).to.equal(true)
      expect(await setup.names()).to.deep.equal(['job/b'])
    })

    it('removes directories after what is in them, and never reads them', async () => {
      // As an account with a hierarchical namespace shows them.
      for (const name of ['job', 'job/d', 'job/d/e', 'jobs']) {
        await setup.container.getBlockBlobClient(name).upload('', 0, { metadata: { hdi_isfolder: 'true' } })
      }
      const storage = remote()
      for (const key of ['job/d/e/1', 'job/2', 'jobs/1']) await storage.write(key, source(key))
      expect(await errorOf(storage.read('job/d'))).to.have.property('code', 'ENOENT')
      await storage.removeOthers('job', new Set(['job/2']))
      const removed = proxy.seen.filter((line) => line.startsWith('DELETE'))
      const names = removed.map((line) => decodeURIComponent(line).split(setup.container.containerName)[1])
      expect(names).to.deep.equal(['/job/d/e/1', '/job/d/e', '/job/d'])
      await storage.removeAll('job')
      expect(await setup.names()).to.deep.equal(['jobs', 'jobs/1'])
    })
  })
})
