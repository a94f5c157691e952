import type { AzureError } from './azure-request.js'

const UNREACHABLE =
  'The account cannot be reached: check its name or URL, the network, and the private endpoints and proxies between.'
const NO_RIGHT =
  'The sign-in works, but has not the rights: it needs the role "Storage Blob Data Contributor" on the container ' +
  '(a shared access signature: read, add, create, write, delete and list), and a network rule may forbid this address.'
const REFUSED =
  'The credential was refused: check the key, connection string, shared access signature or identity, and the clock.'

/** By the code of the service, of the network, or of the sign-in. */
const REMEDIES: Readonly<Record<string, string>> = {
  ContainerNotFound: 'There is no such container: make it, or correct its name.',
  ContainerBeingDeleted: 'The container is being removed: wait, or use another one.',
  ContainerDisabled: 'The container is disabled: have the administrator of the account enable it.',
  AccountIsDisabled: 'The account is disabled: have its administrator enable it.',
  AuthenticationFailed: REFUSED,
  InvalidAuthenticationInfo: REFUSED,
  NoAuthenticationInformation: REFUSED,
  AuthorizationFailure:
    'The account refuses: a network rule may forbid this address, the rights may be missing, or the key may be wrong.',
  AuthorizationPermissionMismatch: NO_RIGHT,
  InsufficientAccountPermissions: NO_RIGHT,
  AuthorizationSourceIPMismatch: NO_RIGHT,
  ResourceNotFound: 'There is no such account or container: correct the names.',
  CredentialUnavailableError:
    'Nobody is signed in: give this machine a managed identity or workload identity, or set a connection string.',
  AggregateAuthenticationError:
    'Nobody is signed in: give this machine a managed identity or workload identity, or set a connection string.',
  AuthenticationError: REFUSED,
  ERR_MODULE_NOT_FOUND: 'Install @azure/identity, or give a credential or a connection string.',
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  ECONNREFUSED: UNREACHABLE,
  ECONNRESET: UNREACHABLE,
  ETIMEDOUT: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
  REQUEST_SEND_ERROR: UNREACHABLE,
}

/** An error of `check()`: the place, the reason, and what to do about it. */
export function unusable(place: string, cause: unknown): AzureError {
  const { code, statusCode, message } = cause instanceof Error ? (cause as AzureError) : {}
  const remedy = REMEDIES[code ?? ''] ?? (statusCode === 401 || statusCode === 403 ? REFUSED : undefined)
  const reason = [message, remedy].filter(Boolean).join('. ')
  return Object.assign(new Error(`The ${place} is not usable: ${reason}`, { cause }), {
    ...(code === undefined ? {} : { code }),
    ...(statusCode === undefined ? {} : { statusCode }),
  })
}
