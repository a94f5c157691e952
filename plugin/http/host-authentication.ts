import { createRequire } from 'node:module'
import type { Logger } from 'winston'
import { describeError, ExportError } from '../errors.js'
import { grantedTypes, scopesIn } from '../fhir/smart-scopes.js'
import type { Access, Authorize } from './access.js'
import type { HttpRequest } from './message.js'

/** `config.auth` of the host, as far as the core reads it. */
export interface HostAuth {
  /** `smart`: scopes decide what may be read; otherwise whoever is authenticated may read everything. */
  readonly type?: string
  readonly strategy: { readonly name: string }
  /** Where the strategy leaves the scopes on the user; default `scope`. */
  readonly customScopeKey?: string
}

interface Passport {
  authenticate(
    name: string,
    options: { readonly session: false },
    done: (error: unknown, user?: unknown, challenge?: unknown) => void,
  ): (request: unknown, response: object, next: (error?: unknown) => void) => void
}

type Claims = Readonly<Record<string, unknown>>

/** Names that strategies have for a client, and for whom it acts: the first one that is there counts. */
const CLIENT = ['client_id', 'clientId', 'azp', 'appid', 'cid']
const SUBJECT = ['sub', 'id', 'username']

/**
 * Authenticates with the strategy that the core has registered for the host, on the core's own passport. Unlike
 * the core it knows SMART v2 scopes, counts only those of the `system/` kind, asks to read and not to write for a
 * POST, and never looks at NODE_ENV.
 */
export function hostAuthentication({ type, strategy, customScopeKey }: HostAuth, logger: Logger): Authorize {
  const passport = corePassport()
  return async (request) => {
    const token = tokenOf(request)
    const user = await authenticate(passport, strategy.name, request.source).catch((error: unknown) => {
      if (error instanceof ExportError) throw error
      // A strategy may call an inactive token an error; the caller is told no more than that it is not accepted.
      const text = describeError(error)
      logger.warn('authorization.strategy-failed', {
        error: token === undefined ? text : text.replaceAll(token, '***'),
      })
      throw unauthorized(undefined)
    })
    const claims = (typeof user === 'object' ? user : { id: user }) as Claims
    const clientId = clientOf(claims)
    if (clientId === undefined) {
      logger.error('authorization.no-client', { looked: [...CLIENT, ...SUBJECT] })
      throw new ExportError(403, 'This server cannot tell which client you are.', { code: 'forbidden' })
    }
    return {
      clientId,
      user: withoutToken(user, token),
      types: type === 'smart' ? grantedTypes(scopesIn(claims[customScopeKey ?? 'scope'])) : 'all',
    } satisfies Access
  }
}

/**
 * The user whom the strategy finds.
 *
 * @throws ExportError 401 when it finds none, anything else when it failed
 */
function authenticate(passport: Passport, name: string, source: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const done = (error: unknown, user?: unknown, challenge?: unknown) => {
      if (error) reject(error)
      else if (user) resolve(user)
      else reject(unauthorized(challenge))
    }
    // A strategy for people sends a browser to a login page. There is none here, so that is a refusal too.
    const response = { setHeader() {}, end: () => done(undefined) }
    passport.authenticate(name, { session: false }, done)(source, response, done)
  })
}

/** A scheme with parameters; nothing that a header cannot carry, and no message to people. */
const CHALLENGE = /^[a-z][\w-]* +[\w-]+ *=[\t\x20-\x7e]*$/i

function unauthorized(challenge: unknown): ExportError {
  return new ExportError(401, 'A valid access token is needed.', {
    code: 'login',
    challenge: typeof challenge === 'string' && CHALLENGE.test(challenge) ? challenge : 'Bearer',
  })
}

/**
 * Tells apart whoever may not see the same: two clients, two users of one client, and two issuers that gave the
 * same name to somebody.
 */
function clientOf(claims: Claims): string | undefined {
  const first = (names: readonly string[]) =>
    names
      .map((name) => claims[name])
      .find((value) => (typeof value === 'string' && value !== '') || typeof value === 'number') ?? null
  const [client, subject] = [first(CLIENT), first(SUBJECT)]
  return client === null && subject === null ? undefined : JSON.stringify([first(['iss']), client, subject])
}

/** What is shorter is no token, and would be found in ordinary text. */
const SHORTEST_TOKEN = 20

/** The token of a request, for keeping it out of logs and job documents, which other people read. */
function tokenOf({ headers, query }: HttpRequest): string | undefined {
  const token = headers['authorization']?.split(' ').at(-1) ?? query.get('access_token')
  return token && token.length >= SHORTEST_TOKEN ? token : undefined
}

/** A copy, as it will be in the job document. Values that only contain the token stay: they may be rules. */
function withoutToken(user: unknown, token: string | undefined): unknown {
  const text = JSON.stringify(user)
  return JSON.parse(text, (_name, value) => (token !== undefined && value === token ? '***' : value))
}

/** The instance that the core registers strategies on, whatever other copies are installed. */
function corePassport(): Passport {
  const core = createRequire(import.meta.url).resolve('@asymmetrik/node-fhir-server-core')
  return createRequire(core)('passport') as Passport
}
