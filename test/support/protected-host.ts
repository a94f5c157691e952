import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type { HostProfile, Manifest } from '../../plugin/index.js'
import { createHostConfig } from '../../scripts/host/index.js'
import { AUDIENCE, ISSUER } from './bearer-strategy.js'
import { startHost, type TestHost, type TestHostOptions, type TestResource } from './export-host.js'
import type { TestDatabase } from './mongodb.js'
import { type OAuthServer, startOAuthServer } from './oauth-server.js'

/** The module with the host's strategy, as the core wants it named. */
export const STRATEGY_MODULE = fileURLToPath(new URL('./bearer-strategy.ts', import.meta.url))
/** A host that takes tokens of the OAuth server and goes by their scopes. */
export const SMART_AUTH = { type: 'smart', strategy: { name: 'bearer', service: STRATEGY_MODULE } }

/** The core asks nobody for anything when NODE_ENV says `test`. */
export function useNodeEnv(value: string): void {
  useEnvironment(() => ({ NODE_ENV: value }))
}

/**
 * Call inside a `describe`, above its hooks: an OAuth server for all its tests, which hosts with `SMART_AUTH`
 * trust, and a NODE_ENV with which they ask for its tokens.
 */
export function useOAuthServer(clients: readonly string[]): OAuthServer {
  let server: OAuthServer | undefined
  const started = (): OAuthServer => {
    if (server === undefined) throw new Error('useOAuthServer() is for hooks and tests, not for describe()')
    return server
  }
  before('start an OAuth server', async () => {
    server = await startOAuthServer(clients)
  })
  useEnvironment(() => ({
    ...{ NODE_ENV: 'production', [ISSUER]: started().issuer, [AUDIENCE]: started().audience },
  }))
  after('close the OAuth server', () => server?.close())
  return {
    get issuer() {
      return started().issuer
    },
    get audience() {
      return started().audience
    },
    token: (client, scope) => started().token(client, scope),
    badToken: (kind, client, scope) => started().badToken(kind, client, scope),
    privateJwk: (client) => started().privateJwk(client),
    close: () => started().close(),
  }
}

function useEnvironment(variables: () => Readonly<Record<string, string>>): void {
  const replaced = new Map<string, string | undefined>()
  before('set the environment', () => {
    for (const [name, value] of Object.entries(variables())) {
      replaced.set(name, process.env[name])
      process.env[name] = value
    }
  })
  after('restore the environment', () => {
    for (const [name, value] of replaced) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  })
}

interface Strategy {
  success(user: unknown): void
  fail(challenge?: unknown): void
  redirect(url: string): void
  pass(): void
  error(error: unknown): void
}

/** Registers a strategy where the core does; gives the `config.auth.strategy` for it. */
export function registerStrategy(
  name: string,
  authenticate: (
    strategy: Strategy,
    request: { readonly headers: Readonly<Record<string, string>> },
  ) => unknown,
) {
  const core = createRequire(import.meta.url).resolve('@asymmetrik/node-fhir-server-core')
  const passport = createRequire(core)('passport') as { use(name: string, strategy: object): void }
  passport.use(name, {
    authenticate(this: Strategy, request: { readonly headers: Readonly<Record<string, string>> }) {
      authenticate(this, request)
    },
  })
  return { name, service: STRATEGY_MODULE }
}

/** Starts a host with `config.auth`; whoever does so closes it. */
export function startProtectedHost(
  database: TestDatabase,
  { auth = SMART_AUTH, ...options }: TestHostOptions & { readonly auth?: object },
): Promise<TestHost> {
  const resources = [...(options.resources ?? [])] as TestResource[]
  const types = new Set([...resources.map(({ resourceType }) => resourceType), ...(options.types ?? [])])
  const { profiles, ...rest } = createHostConfig({ db: database.db })
  const served = Object.fromEntries([...types].map((type) => [type, profiles[type] as HostProfile]))
  const config = { ...rest, profiles: { ...served, ...options.profiles }, auth }
  return startHost(database, { ...options, options: { minPollInterval: 0, ...options.options, config } })
}

export interface Asked {
  readonly method?: string
  /** Becomes the Authorization header. */
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** In ms; what is not answered by then never will be. */
const PATIENCE = 10_000

/** One request, a JSON one when it has a body. */
export async function ask(url: string, { method, token, headers, body }: Asked = {}): Promise<Answer> {
  const response = await fetch(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'Content-Type': 'application/fhir+json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(PATIENCE),
  })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** Demands a refusal with this status and an OperationOutcome with this code; gives what it says. */
export function expectRefusal(answer: Answer, status: number, code: string, what = ''): string {
  const shown = `${what}: ${answer.status} ${answer.text.slice(0, 300)}`
  expect(answer.status, shown).to.equal(status)
  expect(answer.headers.get('content-type'), shown).to.equal('application/fhir+json')
  const { resourceType, issue } = JSON.parse(answer.text)
  expect([resourceType, issue[0].severity, issue[0].code], shown).to.deep.equal([
    ...['OperationOutcome', 'error', code],
  ])
  expect(answer.headers.has('www-authenticate'), shown).to.equal(status === 401)
  if (status === 401) expect(answer.headers.get('www-authenticate'), shown).to.match(/^Bearer\b/)
  return issue[0].diagnostics
}

/** Demands that a kick-off is accepted; gives the status URL. */
export async function kickOff(host: TestHost, asked: Asked, path = '$export'): Promise<string> {
  const answer = await ask(`${host.base}/${path}`, asked)
  expect(answer.status, `${path}: ${answer.text}`).to.equal(202)
  return String(answer.headers.get('content-location'))
}

/** Waits for the end of an export and demands its manifest. */
export async function manifestOf(host: TestHost, statusUrl: string, asked: Asked): Promise<Manifest> {
  expect(await host.ended(statusUrl)).to.equal('completed')
  const answer = await ask(statusUrl, asked)
  expect(answer.status, answer.text).to.equal(200)
  return JSON.parse(answer.text)
}

/** The resources in the output files of an export, as `Patient/p1`. */
export async function exported(manifest: Manifest, asked: Asked): Promise<readonly string[]> {
  const names: string[] = []
  for (const { url } of manifest.output) {
    const answer = await ask(url, asked)
    expect(answer.status, `${url}: ${answer.text}`).to.equal(200)
    for (const line of answer.text.split('\n').filter((text) => text !== '')) {
      const { resourceType, id } = JSON.parse(line) as TestResource
      names.push(`${resourceType}/${id}`)
    }
  }
  return names.sort()
}

/** Something that is waited for, and something that waits. */
export class Gate {
  arrive: () => void = () => {}
  open: () => void = () => {}
  readonly reached = new Promise<void>((resolve) => {
    this.arrive = resolve
  })
  private readonly opened = new Promise<void>((resolve) => {
    this.open = resolve
  })

  async pass(): Promise<void> {
    this.arrive()
    await this.opened
  }
}
