import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { codeOf, ExportFailure } from './failure.js'

/** A key that SMART Backend Services has clients sign with. */
export interface SigningKey {
  readonly key: KeyObject
  readonly algorithm: 'RS384' | 'ES384'
  /** As the server knows it. */
  readonly id?: string
}

const jwkSchema = z.looseObject({ kty: z.string(), kid: z.string().optional(), d: z.string().optional() })
const setSchema = z.object({ keys: z.array(jwkSchema) })

/**
 * Reads a private key: PEM, JWK, or a JWKS, of which the key `id` is taken, or the only private one that can be used.
 *
 * @param id goes into signatures in the place of the one in the file
 * @throws ExportFailure `usage` that names the file and what to do, never its content
 */
export async function readPrivateKey(path: string, id?: string): Promise<SigningKey> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw unusable(path, `cannot be read (${codeOf(error) ?? 'unknown reason'})`)
  })
  return text.trimStart().startsWith('{') ? fromJwks(path, text, id) : fromPem(path, text, id)
}

function fromPem(path: string, text: string, id: string | undefined): SigningKey {
  let key: KeyObject
  try {
    key = createPrivateKey(text)
  } catch {
    throw unusable(path, 'has no private key in PEM without a password, and no JWK or JWKS')
  }
  const algorithm = algorithmOf(key)
  if (algorithm === undefined) throw unusable(path, 'has a key of another kind')
  return { key, algorithm, ...(id === undefined ? {} : { id }) }
}

function fromJwks(path: string, text: string, id: string | undefined): SigningKey {
  const content = parsed(path, text)
  const set = setSchema.safeParse(content)
  const single = jwkSchema.safeParse(content)
  const isSet = set.success
  const keys = set.data?.keys ?? (single.success ? [single.data] : [])
  if (!isSet && !single.success) throw unusable(path, 'is neither a JWK nor a JWKS')
  const usable = keys.flatMap((jwk) => {
    if (jwk.d === undefined || (isSet && id !== undefined && jwk.kid !== id)) return []
    const key = keyOf(jwk as JsonWebKey)
    const algorithm = key && algorithmOf(key)
    const kid = id ?? jwk.kid
    return key && algorithm ? [{ key, algorithm, ...(kid === undefined ? {} : { id: kid }) }] : []
  })
  const [first, ...others] = usable
  if (first === undefined) {
    throw unusable(path, id === undefined ? 'has no such private key' : `has no such private key "${id}"`)
  }
  if (others.length > 0) throw unusable(path, 'has several such keys: pick one by --key-id')
  return first
}

function keyOf(jwk: JsonWebKey): KeyObject | undefined {
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch {
    return undefined
  }
}

function algorithmOf(key: KeyObject): SigningKey['algorithm'] | undefined {
  const { asymmetricKeyType, asymmetricKeyDetails = {} } = key
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails
  if (asymmetricKeyType === 'rsa' && modulusLength >= 2048) return 'RS384'
  return asymmetricKeyType === 'ec' && namedCurve === 'secp384r1' ? 'ES384' : undefined
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unusable(path, 'is not JSON')
  }
}

function unusable(path: string, why: string): ExportFailure {
  const wanted =
    'Wanted is a private RSA key (2048 bits or more, RS384) or EC key (P-384, ES384), as PEM, JWK or JWKS.'
  return new ExportFailure('usage', `The key file ${path} ${why}. ${wanted}`)
}
