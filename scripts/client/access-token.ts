import { z } from 'zod'
import { ExportFailure } from './failure.js'
import { explanation, readable } from './operation-outcome.js'

/** Where access tokens come from. */
export interface TokenSource {
  /** One that is good for a while yet. @throws ExportFailure `signIn` */
  current(signal: AbortSignal): Promise<string>
  /** Another one in the place of one that the server has refused; the same when there is no other. */
  renew(refused: string, signal: AbortSignal): Promise<string>
}

/** A token that somebody else has got. */
export function fixedToken(token: string): TokenSource {
  return { current: async () => token, renew: async () => token }
}

/** An access token, and how long it is good. */
export interface Grant {
  readonly token: string
  /** In ms. */
  readonly lifetime: number
}

/** A token with less time than this left is renewed, in ms; of a short one, a tenth is enough. */
const MARGIN = 30_000

/**
 * Keeps a token until shortly before it expires; however many ask at the same time, one request is made.
 *
 * @param request asks the server for a token
 */
export function renewedToken(request: (signal: AbortSignal) => Promise<Grant>): TokenSource {
  let held: { readonly token: string; readonly until: number } | undefined
  let asking: Promise<string> | undefined
  const ask = (signal: AbortSignal): Promise<string> => {
    asking ??= request(signal)
      .then(({ token, lifetime }) => {
        held = { token, until: performance.now() + lifetime - Math.min(MARGIN, lifetime / 10) }
        return token
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }
  return {
    async current(signal) {
      return held !== undefined && performance.now() < held.until ? held.token : ask(signal)
    },
    async renew(refused, signal) {
      // Another request may have done so in the meantime.
      return held !== undefined && held.token !== refused ? held.token : ask(signal)
    },
  }
}

const grantSchema = z.object({
  access_token: z.string().min(1),
  token_type: z.string().regex(/^bearer$/i),
  expires_in: z.coerce.number().positive().optional(),
})

const refusalSchema = z.object({ error: z.string(), error_description: z.string().optional() })

/** SMART Backend Services recommends five minutes for servers; what does not say is taken for that. In seconds. */
const USUAL_LIFETIME = 300

/**
 * The answer of a token endpoint (RFC 6749, 5).
 *
 * @throws ExportFailure `signIn` with what the server says, never with what it was sent
 */
export async function grantIn(response: Response): Promise<Grant> {
  const body = await response.text()
  const content = parsed(body)
  const grant = grantSchema.safeParse(content)
  if (response.status === 200 && grant.success) {
    const { access_token: token, expires_in: seconds = USUAL_LIFETIME } = grant.data
    return { token, lifetime: seconds * 1000 }
  }
  if (response.status === 200) {
    throw new ExportFailure('signIn', 'The answer of the token endpoint has no access token of type Bearer.')
  }
  const refusal = refusalSchema.safeParse(content)
  const words = refusal.success
    ? readable([refusal.data.error, refusal.data.error_description].filter(Boolean).join(': '))
    : explanation(body)
  throw new ExportFailure('signIn', `The token endpoint refused: HTTP ${response.status}. ${words}`.trim())
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
