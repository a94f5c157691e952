import {
  BlobServiceClient,
  ContainerClient,
  type StoragePipelineOptions,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import { CONTAINER_RULE, isContainerName } from './container.js'
import { segmentsOf } from './key.js'

/** Something that gets access tokens, such as a credential of `@azure/identity`. */
export type AzureTokenCredential = Extract<ContainerClient['credential'], { getToken: unknown }>

/** Which container, and how one gets to it. */
export interface AzurePlaceOptions {
  /** The container's name. It has to exist. Not needed with a `client`. */
  readonly container?: string
  /** A folder in the container that all keys are below, such as `exports/fhir`. Default: none. */
  readonly prefix?: string
  /** The team's own client of the container, with its own credential, retries and proxy. Or one of the next two: */
  readonly client?: ContainerClient
  /** As the portal shows it, with an account key or a shared access signature. */
  readonly connectionString?: string
  /** `https://<account>.blob.core.windows.net`, or that of a compatible server; may carry a shared access signature. */
  readonly accountUrl?: string
  /**
   * What signs in at `accountUrl`: an account key, or anything that gets access tokens. Default: none if the URL
   * carries a shared access signature, otherwise `DefaultAzureCredential` of `@azure/identity` (managed identity,
   * workload identity, the environment), which is loaded only then.
   */
  readonly credential?: StorageSharedKeyCredential | AzureTokenCredential
}

/** The SDK's usual environment variables, given by the program; the plugin reads none. */
export interface AzureEnvironment {
  readonly AZURE_STORAGE_CONNECTION_STRING?: string | undefined
  /** The account's name; only looked at without a connection string. */
  readonly AZURE_STORAGE_ACCOUNT?: string | undefined
  /** The account's key; without it the account is signed in to by identity. */
  readonly AZURE_STORAGE_KEY?: string | undefined
}

/** A container, and where in it. */
export interface AzurePlace {
  readonly client: ContainerClient
  /** Empty, or ends with a slash. */
  readonly prefix: string
  /** For people: which container of which account. */
  readonly name: string
}

const ACCOUNT = /^[a-z0-9]{3,24}$/
/** A try, a second one at once, and others after 1 and 3 seconds. */
const RETRIES: StoragePipelineOptions = {
  retryOptions: { maxTries: 4, retryDelayInMs: 1000, maxRetryDelayInMs: 10_000 },
}

/** @throws Error for options that name no place, or more than one */
export function azurePlace(options: AzurePlaceOptions): AzurePlace {
  const { prefix = '' } = options
  const client = clientOf(options)
  const folder = prefix.replace(/\/$/, '')
  if (folder !== '') segmentsOf(folder)
  return {
    client,
    prefix: folder === '' ? '' : `${folder}/`,
    name: `container ${client.containerName} of the Azure account ${client.accountName || new URL(client.url).host}`,
  }
}

/**
 * What a URL `azure://container/folder` and the environment say.
 *
 * @throws Error for a URL of another form, or an environment that names no account
 */
export function azurePlaceOptions(place: string | URL, environment: AzureEnvironment): AzurePlaceOptions {
  const url = URL.canParse(String(place)) ? new URL(place) : undefined
  const isPlain = url?.protocol === 'azure:' && url.host !== '' && `${url.search}${url.hash}` === ''
  // Not shown: somebody may have put a key into it.
  if (url === undefined || !isPlain || url.username !== '' || url.password !== '' || url.port !== '') {
    throw new Error('An Azure place has the form azure://container/folder, without anything else.')
  }
  const { AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY } = environment
  const where = { container: url.host, prefix: decoded(url.pathname.slice(1)) }
  if (AZURE_STORAGE_CONNECTION_STRING) {
    return { ...where, connectionString: AZURE_STORAGE_CONNECTION_STRING }
  }
  if (!AZURE_STORAGE_ACCOUNT) {
    throw new Error(
      'Set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT to the name of the account.',
    )
  }
  if (!ACCOUNT.test(AZURE_STORAGE_ACCOUNT)) {
    throw new Error(
      'AZURE_STORAGE_ACCOUNT is not the name of an account: 3 to 24 lower-case letters and digits.',
    )
  }
  return {
    ...where,
    accountUrl: `https://${AZURE_STORAGE_ACCOUNT}.blob.core.windows.net`,
    ...(AZURE_STORAGE_KEY
      ? { credential: new StorageSharedKeyCredential(AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY) }
      : {}),
  }
}

/** The account's client with the pipeline of the container's, and so with its proxy, certificates and retries. */
export function serviceOf(container: ContainerClient): BlobServiceClient {
  const url = new URL(container.url)
  url.pathname = url.pathname.replace(/\/[^/]*\/?$/, '')
  return new BlobServiceClient(url.href, container['pipeline'])
}

function clientOf({ client, connectionString, accountUrl, credential, container }: AzurePlaceOptions) {
  const ways = [client, connectionString, accountUrl].filter((way) => way !== undefined).length
  if (ways !== 1) {
    throw new Error('Azure storage takes exactly one of client, connectionString and accountUrl.')
  }
  if (credential !== undefined && accountUrl === undefined) {
    throw new Error('An Azure credential goes with accountUrl only.')
  }
  const name = container ?? client?.containerName ?? ''
  if (!isContainerName(name)) {
    throw new Error(
      `Not the name of an Azure container: ${JSON.stringify(name.slice(0, 80))}. It has ${CONTAINER_RULE}.`,
    )
  }
  if (client !== undefined) {
    if (client.containerName !== name) {
      throw new Error(`The Azure client is for the container ${client.containerName}, not ${name}.`)
    }
    return client
  }
  if (connectionString !== undefined) {
    try {
      return new ContainerClient(connectionString, name, RETRIES)
    } catch {
      // What the SDK says may quote it.
      throw new Error('The Azure connection string is not of the form that the portal shows.')
    }
  }
  return clientAt(String(accountUrl), name, credential)
}

function clientAt(accountUrl: string, name: string, credential: AzurePlaceOptions['credential']) {
  const url = URL.canParse(accountUrl) ? new URL(accountUrl) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new Error('The URL of an Azure account has the form https://<account>.blob.core.windows.net.')
  }
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${name}`
  const isSigned = credential === undefined && url.searchParams.has('sig')
  const client = new ContainerClient(
    url.href,
    isSigned ? undefined : (credential ?? defaultCredential()),
    RETRIES,
  )
  if (client.containerName !== name) {
    throw new Error(
      'The URL of an Azure account at an address has its name too: http://127.0.0.1:10000/<account>.',
    )
  }
  return client
}

/** Loads `@azure/identity` when a token is asked for, so that who has another credential needs no such package. */
function defaultCredential(): AzureTokenCredential {
  let made: Promise<AzureTokenCredential> | undefined
  return {
    async getToken(...request) {
      made ??= loadIdentity()
      return (await made).getToken(...request)
    },
  }
}

async function loadIdentity(): Promise<AzureTokenCredential> {
  const { DefaultAzureCredential } = await import('@azure/identity')
  return new DefaultAzureCredential()
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    throw new Error('The folder of an Azure place is not well encoded.')
  }
}
