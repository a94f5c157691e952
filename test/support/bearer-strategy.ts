import { createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { Strategy } from 'passport-http-bearer'

// A module of a host, as `config.auth.strategy.service` names it: the core requires it, and registers what it
// exports as `strategy`. It is configured as such modules are, by the environment.

/** What the environment has to say, for the tests to set. */
export const ISSUER = 'TEST_OAUTH_ISSUER'
export const AUDIENCE = 'TEST_OAUTH_AUDIENCE'

const keySets = new Map<string, JWTVerifyGetKey>()

/** Accepts signed access tokens of the issuer for the audience; the user is their claims. */
export const strategy = new Strategy((token, done) => {
  verify(token).then(
    (claims) => done(null, claims),
    (error: unknown) => done(null, false, error instanceof Error ? error.name : ''),
  )
})

async function verify(token: string) {
  const [issuer, audience] = [process.env[ISSUER] ?? '', process.env[AUDIENCE] ?? '']
  const keys = keySets.get(issuer) ?? createRemoteJWKSet(new URL(`${issuer}/jwks`))
  keySets.set(issuer, keys)
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' })
  return payload
}
