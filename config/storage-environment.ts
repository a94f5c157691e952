/** What the settings of clouds are called by their own tools, as far as their SDKs do not read them by themselves. */
export interface StorageEnvironment {
  readonly AWS_ENDPOINT_URL?: string | undefined
  readonly AWS_ENDPOINT_URL_S3?: string | undefined
  readonly AZURE_STORAGE_CONNECTION_STRING?: string | undefined
  readonly AZURE_STORAGE_ACCOUNT?: string | undefined
  readonly AZURE_STORAGE_KEY?: string | undefined
}

export function storageEnvironment(env: NodeJS.ProcessEnv = process.env): StorageEnvironment {
  const { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 } = env
  const { AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY } = env
  return {
    ...{ AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 },
    ...{ AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY },
  }
}
