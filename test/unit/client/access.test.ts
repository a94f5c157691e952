import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type JWTVerifyResult, jwtVerify } from 'jose'
import { renewedToken } from '../../../scripts/client/access-token.js'
import { backendServices } from '../../../scripts/client/backend-services.js'
import { readPrivateKey } from '../../../scripts/client/private-key.js'
import type { SendAnew } from '../../../scripts/client/transport.js'

const TOKEN_URL = 'https://auth.example.org/token'
const KEYS = {
  RS384: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
}
const signal = new AbortController().signal

describe('signing in', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keys-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const formats = {
    'PKCS #8': (algorithm: keyof typeof KEYS) =>
      KEYS[algorithm].privateKey.export({ type: 'pkcs8', format: 'pem' }),
    'the older PEM': (algorithm: keyof typeof KEYS) =>
      KEYS[algorithm].privateKey.export({ type: algorithm === 'RS384' ? 'pkcs1' : 'sec1', format: 'pem' }),
    JWK: (algorithm: keyof typeof KEYS) =>
      JSON.stringify({ ...KEYS[algorithm].privateKey.export({ format: 'jwk' }), kid: 'k1' }),
    'a set with a public key too': (algorithm: keyof typeof KEYS) => {
      const { publicKey, privateKey } = KEYS[algorithm]
      const own = { ...privateKey.export({ format: 'jwk' }), kid: 'k1' }
      return JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'old' }, own] })
    },
  }
  for (const algorithm of ['RS384', 'ES384'] as const) {
    for (const [format, write] of Object.entries(formats)) {
      it(`is signed by ${algorithm} with a key in ${format}, as the guide has it`, async () => {
        const path = join(folder, 'key')
        await writeFile(path, write(algorithm))
        const key = await readPrivateKey(path, format.includes('PEM') ? 'k1' : undefined)
        const jtis = new Set<unknown>()
        const send: SendAnew = async (url, request) => {
          expect(url).to.equal(TOKEN_URL)
          if (typeof request !== 'function') throw new Error('An assertion must be made anew for each try.')
          // The answer to the first try is lost.
          await request()
          const form = new URLSearchParams(String((await request()).body))
          expect(Object.fromEntries(form)).to.deep.include({
            ...{ grant_type: 'client_credentials', scope: 'system/*.read' },
            client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          })
          const assertion = form.get('client_assertion') as string
          const { payload, protectedHeader }: JWTVerifyResult = await jwtVerify(
            assertion,
            KEYS[algorithm].publicKey,
            { issuer: 'me', subject: 'me', audience: TOKEN_URL, typ: 'JWT' },
          )
          expect(protectedHeader.alg).to.equal(algorithm)
          if (format !== 'PKCS #8') expect(protectedHeader.kid).to.equal('k1')
          expect(Number(payload.exp) - Number(payload.iat)).to.be.within(1, 300)
          expect(jtis).to.not.include(payload.jti)
          jtis.add(payload.jti)
          return Response.json({ access_token: `t${jtis.size}`, token_type: 'bearer', expires_in: 60 })
        }
        const base = 'https://fhir.example.org'
        const source = backendServices({ base, clientId: 'me', key, tokenUrl: TOKEN_URL, send })
        expect(await source.current(signal)).to.equal('t1')
        expect(await source.current(signal)).to.equal('t1')
        expect(await source.renew('t1', signal)).to.equal('t2')
      })
    }
  }

  it('goes to no token endpoint without TLS that a server with TLS names', async () => {
    const send: SendAnew = async () => Response.json({ token_endpoint: 'http://fhir.example.org/token' })
    const source = backendServices({
      ...{ base: 'https://fhir.example.org', clientId: 'me', send },
      key: { key: KEYS.ES384.privateKey, algorithm: 'ES384' },
    })
    const error = await source.current(signal).catch((reason: unknown) => reason)
    expect(error).to.have.property('ending', 'signIn')
    expect(error).to.have.property('message').that.includes('--token-url')
  })

  const refused = {
    'an EC key of another curve': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    'an Ed25519 key': generateKeyPairSync('ed25519'),
    'an RSA key that is too short': generateKeyPairSync('rsa', { modulusLength: 1024 }),
  }
  for (const [name, { privateKey }] of Object.entries(refused)) {
    it(`refuses ${name}`, async () => {
      const path = join(folder, 'key')
      await writeFile(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
      const error = await readPrivateKey(path).catch((reason: unknown) => reason)
      expect(error).to.have.property('ending', 'usage')
      expect(error).to.have.property('message').that.includes('a key of another kind')
    })
  }
})

describe('renewedToken', () => {
  it('asks anew before a token expires, and once for all who want one at the same time', async () => {
    let asked = 0
    const lifetimes = [3_600_000, 0, 3_600_000]
    const source = renewedToken(async () => {
      return { token: `t${asked}`, lifetime: lifetimes[asked++] ?? 0 }
    })
    const together = () => Promise.all([1, 2, 3].map(() => source.current(signal)))
    expect(await together()).to.deep.equal(['t0', 't0', 't0'])
    expect(await source.current(signal)).to.equal('t0')
    expect(await Promise.all([source.renew('t0', signal), source.renew('t0', signal)])).to.deep.equal([
      ...['t1', 't1'],
    ])
    // That one was over as soon as it came.
    expect(await together()).to.deep.equal(['t2', 't2', 't2'])
    expect(await source.renew('t1', signal), 'somebody has renewed it already').to.equal('t2')
    expect(asked).to.equal(3)
  })

  it('asks again after a failure', async () => {
    let asked = 0
    const source = renewedToken(async () => {
      if (++asked === 1) throw new Error('not now')
      return { token: 't', lifetime: 1000 }
    })
    expect(await source.current(signal).catch((error: Error) => error.message)).to.equal('not now')
    expect(await source.current(signal)).to.equal('t')
  })
})
