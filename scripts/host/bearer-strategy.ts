import { createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { Strategy } from 'passport-http-bearer'
import { readSettings } from '../../config/settings.js'

// What `config.auth.strategy.service` of the example host names. The core requires it and registers `strategy`, so it
// is configured as such modules are: by the environment.

let keys: JWTVerifyGetKey | undefined

/** Accepts access tokens that OAUTH_ISSUER has signed for OAUTH_AUDIENCE; the user is their claims. */
export const strategy = new Strategy((token, done) => {
  claimsOf(token).then(
    (claims) => done(null, claims),
    () => done(null, false),
  )
})

async function claimsOf(token: string) {
  const { oauthIssuer: issuer, oauthAudience: audience } = readSettings()
  // Without an audience, any token of the issuer would do, whatever it was given for.
  if (issuer === undefined || audience === undefined)
    throw new Error('OAUTH_ISSUER or OAUTH_AUDIENCE is missing.')
  keys ??= createRemoteJWKSet(new URL(`${issuer}/jwks`))
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: 'at+jwt' })
  return payload
}
