import { expect } from 'chai'
import { redactCredentials } from '../../config/redact.js'
import { readSettings, type Settings, SettingsError } from '../../config/settings.js'

type Environment = Readonly<Record<string, string>>

describe('settings', () => {
  it('have defaults that need no environment', () => {
    const { exportStorage, cacheDirectory, ...rest } = readSettings({})
    expect(rest).to.deep.equal({
      port: 3000,
      host: '127.0.0.1',
      mongodbDatabase: 'fhir',
      exportWorkers: 2,
      exportRead: 'scan',
      fhirVersions: ['4_0_0'],
      logLevel: 'info',
    })
    const project = new URL('../..', import.meta.url)
    expect(exportStorage).to.equal(new URL('exports', project).href)
    expect(cacheDirectory).to.equal(new URL('.cache', project).pathname)
  })

  const accepted: readonly [Environment, Partial<Settings>][] = [
    [{ PORT: '0' }, { port: 0 }],
    [{ PORT: '65535' }, { port: 65535 }],
    [{ PORT: ' 8080 ' }, { port: 8080 }],
    [{ PORT: '' }, { port: 3000 }],
    [{ HOST: '0.0.0.0' }, { host: '0.0.0.0' }],
    [{ HOST: '::' }, { host: '::' }],
    [
      { MONGODB_URI: 'mongodb://a:1,b:2/?replicaSet=rs0' },
      { mongodbUri: 'mongodb://a:1,b:2/?replicaSet=rs0' },
    ],
    [
      { MONGODB_URI: 'mongodb+srv://u:p@cluster.example.org' },
      { mongodbUri: 'mongodb+srv://u:p@cluster.example.org' },
    ],
    [{ MONGODB_DB: 'clinic_2' }, { mongodbDatabase: 'clinic_2' }],
    [{ MONGOMS_SYSTEM_BINARY: '/opt/mongod' }, { mongodSystemBinary: '/opt/mongod' }],
    [{ BASE_URL: 'https://fhir.example.org/r4/' }, { baseUrl: 'https://fhir.example.org/r4' }],
    [{ EXPORT_STORAGE: 'file:///srv/exports' }, { exportStorage: 'file:///srv/exports' }],
    [{ EXPORT_STORAGE: 's3://bucket' }, { exportStorage: 's3://bucket' }],
    [{ EXPORT_STORAGE: 's3://bucket/some/prefix' }, { exportStorage: 's3://bucket/some/prefix' }],
    [{ EXPORT_STORAGE: 'azure://container/prefix' }, { exportStorage: 'azure://container/prefix' }],
    [{ EXPORT_STORAGE: 'gs://bucket/prefix' }, { exportStorage: 'gs://bucket/prefix' }],
    [{ EXPORT_WORKERS: '0' }, { exportWorkers: 0 }],
    [{ EXPORT_READ: 'search' }, { exportRead: 'search' }],
    [{ FHIR_VERSIONS: '3_0_1' }, { fhirVersions: ['3_0_1'] }],
    [{ FHIR_VERSIONS: '4_0_1, 1_0_2' }, { fhirVersions: ['4_0_1', '1_0_2'] }],
    [
      { OAUTH_ISSUER: 'https://login.example.org/', OAUTH_AUDIENCE: 'https://fhir.example.org' },
      { oauthIssuer: 'https://login.example.org', oauthAudience: 'https://fhir.example.org' },
    ],
    [{ LOG_LEVEL: 'debug' }, { logLevel: 'debug' }],
    [{ MONGODB_URI: '', BASE_URL: ' ', UNRELATED: 'x' }, {}],
  ]
  for (const [environment, expected] of accepted) {
    it(`accept ${JSON.stringify(environment)}`, () => {
      expect(readSettings(environment)).to.deep.equal({ ...readSettings({}), ...expected })
    })
  }

  const refused: readonly [Environment, string][] = [
    [{ FHIR_VERSIONS: '5_0_0' }, 'FHIR_VERSIONS is "5_0_0", but must be one or more of 4_0_0, 4_0_1, 3_0_1'],
    [{ FHIR_VERSIONS: '4_0_0,4_0_0' }, 'FHIR_VERSIONS is "4_0_0,4_0_0", but must be one or more of 4_0_0'],
    [{ OAUTH_ISSUER: 'login', OAUTH_AUDIENCE: 'x' }, 'OAUTH_ISSUER is "login", but must be an absolute'],
    [{ OAUTH_ISSUER: 'https://login.example.org' }, 'OAUTH_ISSUER and OAUTH_AUDIENCE must be set together'],
    [{ OAUTH_AUDIENCE: 'https://fhir.example.org' }, 'OAUTH_ISSUER and OAUTH_AUDIENCE must be set together'],
    [{ PORT: 'http' }, 'PORT is "http", but must be a whole number from 0 to 65535'],
    [{ PORT: '65536' }, 'PORT is "65536", but must be a whole number from 0 to 65535'],
    [{ PORT: '-1' }, 'PORT is "-1"'],
    [{ PORT: '80.5' }, 'PORT is "80.5"'],
    [{ HOST: 'http://localhost' }, 'HOST is "http://localhost", but must be a host name'],
    [{ MONGODB_URI: 'localhost:27017' }, 'MONGODB_URI is "localhost:27017", but must be a connection string'],
    [{ MONGODB_URI: 'mongodb://' }, 'MONGODB_URI is "mongodb://"'],
    [{ MONGODB_URI: 'mongo://me:hush@db/x' }, 'MONGODB_URI is "mongo://***@db/x"'],
    [{ MONGODB_DB: 'a.b' }, 'MONGODB_DB is "a.b", but must be a database name'],
    [{ BASE_URL: '/r4' }, 'BASE_URL is "/r4", but must be an absolute http:// or https:// URL'],
    [{ BASE_URL: 'https://example.org/?x=1' }, 'BASE_URL is "https://example.org/?x=1"'],
    [{ BASE_URL: 'https://me:hush@example.org' }, 'BASE_URL is "https://***@example.org"'],
    [
      { EXPORT_STORAGE: '/srv/exports' },
      'EXPORT_STORAGE is "/srv/exports", but must be file:///directory, s3://',
    ],
    [{ EXPORT_STORAGE: 'file://srv/exports' }, 'EXPORT_STORAGE is "file://srv/exports"'],
    [{ EXPORT_STORAGE: 's3:///prefix' }, 'EXPORT_STORAGE is "s3:///prefix"'],
    [{ EXPORT_STORAGE: 'ftp://host/dir' }, 'EXPORT_STORAGE is "ftp://host/dir"'],
    [{ EXPORT_READ: 'fast' }, 'EXPORT_READ is "fast", but must be one of search, stream, scan'],
    [{ EXPORT_WORKERS: 'many' }, 'EXPORT_WORKERS is "many", but must be a whole number from 0 to 256'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is "loud", but must be one of error, warn, info'],
  ]
  for (const [environment, message] of refused) {
    it(`refuse ${JSON.stringify(environment)}`, () => {
      expect(() => readSettings(environment)).to.throw(SettingsError, message)
    })
  }

  it('refuse all bad values in one error', () => {
    expect(() => readSettings({ PORT: 'x', LOG_LEVEL: 'y' })).to.throw(/^PORT is .*\nLOG_LEVEL is /)
  })

  it('never show a credential in an error', () => {
    const environment = {
      MONGODB_URI: 'mongo://me:hu/sh@db',
      BASE_URL: 'me:hush@db',
      EXPORT_STORAGE: 'x://y?sig=hush',
    }
    expect(() => readSettings(environment))
      .to.throw(SettingsError)
      .with.property('message')
      .that.does.not.match(/hu/)
  })
})

describe('redactCredentials', () => {
  const cases: readonly [string, string][] = [
    ['mongodb://db:27017/?replicaSet=rs0', 'mongodb://db:27017/?replicaSet=rs0'],
    ['mongodb://me:hush@a,b/x?w=1', 'mongodb://***@a,b/x?w=1'],
    ['mongodb://me:p@ss/w@a', 'mongodb://***@a'],
    ['me:hush@a', '***@a'],
    [
      'mongodb://a/?tls=true&tlsCertificateKeyFilePassword=hush&w=1',
      'mongodb://a/?tls=true&tlsCertificateKeyFilePassword=***&w=1',
    ],
    [
      'mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:hush',
      'mongodb://a/?authMechanismProperties=***',
    ],
    ['', ''],
  ]
  for (const [value, expected] of cases) {
    it(`turns ${JSON.stringify(value)} into ${JSON.stringify(expected)}`, () => {
      expect(redactCredentials(value)).to.equal(expected)
    })
  }
})
