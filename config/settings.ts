import { fileURLToPath, pathToFileURL } from 'node:url'
import { z } from 'zod'
import { redactCredentials } from './redact.js'

/** Where the programs keep things of their own: the folder with `package.json`. */
/** This file is in `config/`, or in `dist/config/` when the project was built. */
const PROJECT_DIRECTORY = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '..' : '../..', import.meta.url),
)

export const LOG_LEVELS = ['error', 'warn', 'info', 'http', 'verbose', 'debug', 'silly'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Ways to read a host, slowest first. */
export const EXPORT_READS = ['search', 'stream', 'scan'] as const
export type ExportRead = (typeof EXPORT_READS)[number]

/** The FHIR versions that the host core knows. */
export const FHIR_VERSIONS = ['4_0_0', '4_0_1', '3_0_1', '1_0_2'] as const

/** The settings of the programs in `scripts/` and of the tests; `readSettings` makes them from the environment. */
export interface Settings {
  /** `PORT`: where the example host listens; 0 lets the system choose. */
  readonly port: number
  /** `HOST`: the address it listens on. The default keeps a host without log-in away from the network. */
  readonly host: string
  /** `MONGODB_URI`: the server to use. Absent: the programs find or fetch one themselves. */
  readonly mongodbUri?: string
  /** `MONGODB_DB`: the database of the example host; a database named in `MONGODB_URI` is not used. */
  readonly mongodbDatabase: string
  /** `MONGOMS_SYSTEM_BINARY`: a `mongod` to start; the same name that mongodb-memory-server reads. */
  readonly mongodSystemBinary?: string
  /** `BASE_URL`: how clients reach the host, without a slash at the end. Absent: as the request says. */
  readonly baseUrl?: string
  /** `EXPORT_STORAGE`: where output files live, as a URL of one of four schemes. */
  readonly exportStorage: string
  /** `EXPORT_WORKERS`: export tasks this process runs at the same time; 0 leaves them to other processes. */
  readonly exportWorkers: number
  /** `EXPORT_READ`: the fastest way in which the example host lets its resources be read. */
  readonly exportRead: ExportRead
  /** `FHIR_VERSIONS`: what the example host serves, as the host core writes it; `load` is for the first of them. */
  readonly fhirVersions: readonly [string, ...string[]]
  /**
   * `OAUTH_ISSUER`: the server whose access tokens the example host asks for, without a slash at the end; its keys are at
   * `/jwks`, tokens at `/token`. Absent: whoever reaches the host may read everything.
   */
  readonly oauthIssuer?: string
  /** `OAUTH_AUDIENCE`: what tokens have to be for; there is one exactly when there is an issuer. */
  readonly oauthAudience?: string
  /** `LOG_LEVEL`: the least important level that is logged. */
  readonly logLevel: LogLevel
  /** Where downloads are kept between runs. Not a setting: it is always `.cache` in the project folder. */
  readonly cacheDirectory: string
}

const defaults = {
  port: 3000,
  host: '127.0.0.1',
  mongodbDatabase: 'fhir',
  exportStorage: pathToFileURL(`${PROJECT_DIRECTORY}exports`).href,
  exportWorkers: 2,
  exportRead: 'scan',
  fhirVersions: ['4_0_0'],
  logLevel: 'info',
  cacheDirectory: `${PROJECT_DIRECTORY}.cache`,
} as const

/** One or more environment variables have values the programs cannot work with; says all of them. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

function wholeNumber(from: number, to: number) {
  const allowed = `a whole number from ${from} to ${to}`
  return z
    .string()
    .regex(/^\d{1,9}$/, allowed)
    .transform(Number)
    .refine((number) => number >= from && number <= to, allowed)
}

function isBaseUrl(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, search, hash, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && search + hash + username + password === ''
}

function isVersionList(list: readonly string[]): boolean {
  const known: readonly string[] = FHIR_VERSIONS
  return list.every((version) => known.includes(version)) && new Set(list).size === list.length
}

/** Each variable, how it is checked, and in words what is allowed. The messages are the second half of an error. */
const variables = z.object({
  PORT: wholeNumber(0, 65535).optional(),
  HOST: z
    .string()
    .regex(/^[\w.:%-]+$/, 'a host name or an IP address without a port, such as 127.0.0.1 or 0.0.0.0')
    .optional(),
  MONGODB_URI: z
    .string()
    .regex(
      /^mongodb(\+srv)?:\/\/[^/?\s]/,
      'a connection string that starts with mongodb:// or mongodb+srv://',
    )
    .optional(),
  MONGODB_DB: z
    .string()
    .regex(
      /^[^/\\. "$*<>:|?\0]{1,63}$/,
      'a database name of 1 to 63 characters without space or / \\ . " $ * < > : | ?',
    )
    .optional(),
  MONGOMS_SYSTEM_BINARY: z.string().optional(),
  BASE_URL: z
    .string()
    .refine(isBaseUrl, 'an absolute http:// or https:// URL without user, query or fragment')
    .optional(),
  EXPORT_STORAGE: z
    .string()
    .regex(
      /^(file:\/\/\/\S|(s3|azure|gs):\/\/[^/?#\s]+(\/|$))\S*$/,
      'file:///directory, s3://bucket/prefix, azure://container/prefix or gs://bucket/prefix',
    )
    .optional(),
  EXPORT_WORKERS: wholeNumber(0, 256).optional(),
  EXPORT_READ: z.enum(EXPORT_READS, `one of ${EXPORT_READS.join(', ')}`).optional(),
  FHIR_VERSIONS: z
    .string()
    .transform((list) => list.split(',').map((version) => version.trim()))
    .refine(isVersionList, `one or more of ${FHIR_VERSIONS.join(', ')} with commas between them, each once`)
    .transform((list) => list as [string, ...string[]])
    .optional(),
  OAUTH_ISSUER: z
    .string()
    .refine(isBaseUrl, 'an absolute http:// or https:// URL without user, query or fragment')
    .optional(),
  OAUTH_AUDIENCE: z
    .string()
    .regex(/^\S+$/, 'the audience of access tokens, such as a URL, without spaces')
    .optional(),
  LOG_LEVEL: z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`).optional(),
})

/**
 * Reads the settings, checks them and fills in the defaults. This is the only place where the programs and tests
 * look at the environment. A variable that is set to an empty string counts as absent, as compose files do.
 * @throws SettingsError that names each bad variable, its value (without credentials) and what is allowed
 */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const given = Object.keys(variables.shape).filter((name) => env[name]?.trim())
  const result = variables.safeParse(Object.fromEntries(given.map((name) => [name, env[name]?.trim()])))
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => {
      const name = String(path[0])
      return `${name} is ${JSON.stringify(redactCredentials(env[name] ?? ''))}, but must be ${message}`
    })
    throw new SettingsError(problems.join('\n'))
  }
  const { data } = result
  if ((data.OAUTH_ISSUER === undefined) !== (data.OAUTH_AUDIENCE === undefined)) {
    throw new SettingsError('OAUTH_ISSUER and OAUTH_AUDIENCE must be set together, or not at all')
  }
  return {
    port: data.PORT ?? defaults.port,
    host: data.HOST ?? defaults.host,
    ...(data.MONGODB_URI !== undefined && { mongodbUri: data.MONGODB_URI }),
    mongodbDatabase: data.MONGODB_DB ?? defaults.mongodbDatabase,
    ...(data.MONGOMS_SYSTEM_BINARY !== undefined && { mongodSystemBinary: data.MONGOMS_SYSTEM_BINARY }),
    ...(data.BASE_URL !== undefined && { baseUrl: data.BASE_URL.replace(/\/+$/, '') }),
    exportStorage: data.EXPORT_STORAGE ?? defaults.exportStorage,
    exportWorkers: data.EXPORT_WORKERS ?? defaults.exportWorkers,
    exportRead: data.EXPORT_READ ?? defaults.exportRead,
    fhirVersions: data.FHIR_VERSIONS ?? defaults.fhirVersions,
    ...(data.OAUTH_ISSUER !== undefined && { oauthIssuer: data.OAUTH_ISSUER.replace(/\/+$/, '') }),
    ...(data.OAUTH_AUDIENCE !== undefined && { oauthAudience: data.OAUTH_AUDIENCE }),
    logLevel: data.LOG_LEVEL ?? defaults.logLevel,
    cacheDirectory: defaults.cacheDirectory,
  }
}
