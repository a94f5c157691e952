import { AnonymousCredential, ContainerClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { expect } from 'chai'
import { type AzureEnvironment, type AzureStorageOptions, azureStorage } from '../../plugin/storage/azure.js'
import { blocksOf, MOST_BLOCKS, sizeOfBlock } from '../../plugin/storage/azure-blocks.js'
import { azurePlace, azurePlaceOptions } from '../../plugin/storage/azure-place.js'
import { azureSetup, source } from './azure-setup.js'

const KEY = Buffer.from('a secret key').toString('base64')
const CONNECTION = `DefaultEndpointsProtocol=https;AccountName=team1;AccountKey=${KEY};EndpointSuffix=core.windows.net`
const ACCOUNT_URL = 'https://team1.blob.core.windows.net'
const client = new ContainerClient(`${ACCOUNT_URL}/exports`, new AnonymousCredential())
const credential = new StorageSharedKeyCredential('team1', KEY)
const token = { getToken: async () => null }

describe('the options of azureStorage', () => {
  const urls: readonly [string, AzureEnvironment, { url: string; prefix: string; isKey: boolean }][] = [
    [
      'azure://exports',
      { AZURE_STORAGE_CONNECTION_STRING: CONNECTION },
      { url: `${ACCOUNT_URL}/exports`, prefix: '', isKey: true },
    ],
    [
      'azure://exports/fhir/%C3%A4%20b/',
      { AZURE_STORAGE_CONNECTION_STRING: CONNECTION, AZURE_STORAGE_ACCOUNT: 'other' },
      { url: `${ACCOUNT_URL}/exports`, prefix: 'fhir/ä b/', isKey: true },
    ],
    [
      'azure://my-exports/fhir',
      { AZURE_STORAGE_ACCOUNT: 'team1' },
      { url: `${ACCOUNT_URL}/my-exports`, prefix: 'fhir/', isKey: false },
    ],
    [
      'azure://exports/',
      { AZURE_STORAGE_ACCOUNT: 'team1', AZURE_STORAGE_KEY: KEY },
      { url: `${ACCOUNT_URL}/exports`, prefix: '', isKey: true },
    ],
  ]
  for (const [url, environment, expected] of urls) {
    it(`take ${url} with ${Object.keys(environment).join(' and ')}`, () => {
      for (const place of [url, new URL(url)]) {
        const { client: made, prefix, name } = azurePlace(azurePlaceOptions(place, environment))
        const isKey = made.credential instanceof StorageSharedKeyCredential
        expect({ url: made.url, prefix, isKey }).to.deep.equal(expected)
        expect(name).to.include('team1').and.not.include(KEY)
        expect(azureStorage(place, environment)).to.have.property('signedUrl')
      }
    })
  }

  const places: readonly [string, AzureStorageOptions, string, boolean][] = [
    ['a client', { client }, `${ACCOUNT_URL}/exports`, false],
    ['a client with its name', { client, container: 'exports' }, `${ACCOUNT_URL}/exports`, false],
    ['an account URL', { accountUrl: `${ACCOUNT_URL}/`, container: 'abc' }, `${ACCOUNT_URL}/abc`, true],
    ['a key', { accountUrl: ACCOUNT_URL, container: 'abc', credential }, `${ACCOUNT_URL}/abc`, true],
    [
      'an identity',
      { accountUrl: ACCOUNT_URL, container: 'a-1', credential: token },
      `${ACCOUNT_URL}/a-1`,
      true,
    ],
    [
      'a shared access signature',
      { accountUrl: `${ACCOUNT_URL}?sv=1&sig=x`, container: 'abc' },
      `${ACCOUNT_URL}/abc?sv=1&sig=x`,
      false,
    ],
  ]
  for (const [what, options, url, signs] of places) {
    it(`take ${what}, which ${signs ? 'signs' : 'does not sign'} URLs`, () => {
      expect(azurePlace(options).client.url).to.equal(url)
      expect('signedUrl' in azureStorage(options)).to.equal(signs)
    })
  }

  const where = { accountUrl: ACCOUNT_URL, container: 'exports' }
  const refused: readonly [string, AzureStorageOptions | string, RegExp, AzureEnvironment?][] = [
    ['no way to the account', { container: 'exports' }, /exactly one/],
    ['two ways', { ...where, client }, /exactly one/],
    ['a credential for nothing', { client, credential }, /goes with accountUrl/],
    ['no container', { accountUrl: ACCOUNT_URL }, /Not the name of an Azure container: ""/],
    ['a client of another container', { client, container: 'other' }, /for the container exports, not other/],
    ...[
      'ab',
      'Exports',
      '../exports',
      'a/b',
      'a--b',
      '-abc',
      'abc-',
      'a_b',
      'ä'.repeat(9),
      'x'.repeat(200),
    ].map((container): [string, AzureStorageOptions, RegExp] => [
      `the container ${container.slice(0, 20)}`,
      { accountUrl: ACCOUNT_URL, container },
      /Not the name of an Azure container/,
    ]),
    ['the prefix ../x', { ...where, prefix: '../x' }, /Not a storage key/],
    ['the prefix /x', { ...where, prefix: '/x' }, /Not a storage key/],
    ['a broken connection string', { connectionString: `x;AccountKey=${KEY}`, container: 'abc' }, /portal/],
    ['an account that is no URL', { accountUrl: `team1 ${KEY}`, container: 'abc' }, /has the form https/],
    ['a password in the URL', { accountUrl: `https://a:${KEY}@b.c`, container: 'abc' }, /has the form https/],
    [
      'an address without an account',
      { accountUrl: 'http://127.0.0.1:10', container: 'abc' },
      /has its name too/,
    ],
    ['blocks of no size', { ...where, blockSize: 0 }, /blockSize/],
    ['half a block', { ...where, concurrency: 0.5 }, /concurrency/],
    ['no time', { ...where, timeout: Number.NaN }, /timeout/],
    ...[
      's3://exports',
      'exports',
      'azure:exports',
      'azure://exports?x=1',
      `azure://team1:${KEY}@exports`,
      'azure://exports:1',
    ].map((url): [string, string, RegExp] => [`the URL ${url}`, url, /form azure:\/\/container\/folder/]),
    [
      'a folder that is not encoded',
      'azure://exports/%',
      /not well encoded/,
      { AZURE_STORAGE_ACCOUNT: 'team1' },
    ],
    [
      'a folder that leads out',
      'azure://exports/a%2F..%2Fb',
      /Not a storage key/,
      { AZURE_STORAGE_ACCOUNT: 'abc' },
    ],
    ['a URL without an account', 'azure://exports', /Set AZURE_STORAGE_CONNECTION_STRING/],
    [
      'a host for an account',
      'azure://exports',
      /AZURE_STORAGE_ACCOUNT is not/,
      { AZURE_STORAGE_ACCOUNT: 'evil.example/x' },
    ],
  ]
  for (const [what, options, message, environment] of refused) {
    it(`refuse ${what}`, () => {
      expect(() => azureStorage(options, environment))
        .to.throw(Error, message)
        .and.satisfy((error: Error) => !`${error.stack} ${JSON.stringify(error)}`.includes(KEY))
    })
  }

  describe('on a real server', () => {
    const setup = azureSetup()
    it('lead to the same container in each form', async () => {
      const { azurite, container } = setup
      await container.getBlockBlobClient('f/job/a').upload('x', 1)
      const { containerName } = container
      const key = new StorageSharedKeyCredential(azurite.account, azurite.accountKey)
      for (const storage of [
        azureStorage({ client: container, prefix: 'f' }),
        azureStorage({ connectionString: azurite.connectionString, container: containerName, prefix: 'f/' }),
        azureStorage({ accountUrl: azurite.url, credential: key, container: containerName, prefix: 'f' }),
        azureStorage(`azure://${containerName}/f`, {
          AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString,
        }),
      ]) {
        await storage.check()
        await storage.removeOthers('job', new Set(['job/a']))
        expect(await setup.names()).to.deep.equal(['f/job/a'])
      }
    })
  })
})

describe('the blocks of a blob', () => {
  it('suffice for a terabyte, and begin small', () => {
    const sizes = Array.from({ length: MOST_BLOCKS }, (_, index) => sizeOfBlock(index, 8 * 1024 ** 2))
    expect(sizes[0]).to.equal(8 * 1024 ** 2)
    expect(sizes.reduce((sum, size) => sum + size, 0)).to.be.above(2 * 1024 ** 4)
    expect(Math.max(...sizes)).to.equal(128 * 1024 ** 2)
  })

  it('are never larger than the service takes', () => {
    expect(sizeOfBlock(MOST_BLOCKS - 1, 1024 ** 3)).to.equal(4000 * 1024 ** 2)
  })

  it('grow, and end with what is too much', async () => {
    const piece = 'x'.repeat(10_000)
    const pieces = Array.from({ length: 31 }, () => piece)
    let count = 0
    let bytes = 0
    const cut = async () => {
      for await (const block of blocksOf(source(...pieces, 'y'), 1, [])) {
        count += 1
        bytes += block.length
      }
    }
    const error = await cut().catch((reason: unknown) => reason)
    expect({ count, bytes }).to.deep.equal({ count: MOST_BLOCKS, bytes: 310_000 })
    expect(error).to.be.instanceOf(RangeError)
  })
})
