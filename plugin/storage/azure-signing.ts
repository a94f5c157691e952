import { BlobSASPermissions, type ContainerClient, SASProtocol } from '@azure/storage-blob'
import { serviceOf } from './azure-place.js'
import { request } from './azure-request.js'

/** The longest that the service lets a user delegation key live, in ms. */
const LONGEST = 7 * 24 * 3600 * 1000
/** How far clocks may be apart, in ms. */
const SKEW = 5 * 60 * 1000
/** How much sooner than a key a URL ends, in ms, so that a key serves for the URLs of so long. */
const MARGIN = 3600 * 1000

/**
 * The version of the form in which a user delegation key signs. That of the SDK is so new that some clouds and
 * emulators do not know it yet, and has nothing that is needed here.
 */
const VERSION = '2023-11-03'

/** Makes a URL that reads one blob until a time. */
export type UrlSigner = (name: string, expires: Date) => Promise<string>

/**
 * How URLs of a container are signed: by the account key, or, when the client is signed in, by a user delegation key,
 * which is kept and made anew when it does not last long enough. `undefined` for a client that has neither, such as
 * one with a shared access signature.
 *
 * @param timeout for getting a key, in ms
 */
export function urlSigner(container: ContainerClient, timeout: number): UrlSigner | undefined {
  const { credential } = container
  const permissions = BlobSASPermissions.parse('r')
  // Emulators speak plain HTTP; a real account's URL never works with it.
  const protocol = container.url.startsWith('https:') ? SASProtocol.Https : SASProtocol.HttpsAndHttp
  if ('accountName' in credential) {
    return (name, expiresOn) =>
      container.getBlobClient(name).generateSasUrl({ permissions, protocol, expiresOn })
  }
  if (!('getToken' in credential)) return undefined
  const keyUntil = delegationKeys(container, timeout)
  return async (name, expires) => {
    const expiresOn = new Date(Math.min(expires.getTime(), Date.now() + LONGEST - MARGIN))
    const key = await keyUntil(expiresOn)
    return container
      .getBlobClient(name)
      .generateUserDelegationSasUrl({ permissions, protocol, expiresOn, version: VERSION }, key)
  }
}

/** Gives a key that lasts until a time, the last one if it does. */
function delegationKeys(container: ContainerClient, timeout: number) {
  const get = (from: Date, until: Date) =>
    request('Getting a user delegation key', { timeout }, (abortSignal) =>
      serviceOf(container).getUserDelegationKey(from, until, { abortSignal }),
    )
  let last: { readonly until: Date; readonly key: ReturnType<typeof get> } | undefined
  return (expires: Date) => {
    if (last !== undefined && last.until >= expires) return last.key
    const from = new Date(Date.now() - SKEW)
    const until = new Date(from.getTime() + LONGEST - SKEW)
    const asked = { until, key: get(from, until) }
    last = asked
    asked.key.catch(() => {
      if (last === asked) last = undefined
    })
    return asked.key
  }
}
