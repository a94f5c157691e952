import type { StorageEnvironment } from '../../config/storage-environment.js'
import type { ExportStorage } from '../../plugin/index.js'

/**
 * The storage that `EXPORT_STORAGE` names. Loads the SDK of that one only.
 *
 * @param url `file:///folder`, `s3://bucket/prefix`, `azure://container/prefix` or `gs://bucket/prefix`
 * @param environment what the SDKs do not look up by themselves
 */
export async function openStorage(url: string, environment: StorageEnvironment): Promise<ExportStorage> {
  const { protocol, host, pathname } = new URL(url)
  switch (protocol) {
    case 's3:': {
      const { s3Storage } = await import('../../plugin/storage/s3.js')
      const { AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3: endpoint = AWS_ENDPOINT_URL } = environment
      // A compatible server has its buckets in the path.
      if (!endpoint) return s3Storage(url)
      const prefix = decodeURIComponent(pathname).replace(/^\/|\/$/g, '')
      return s3Storage({ bucket: host, endpoint, ...(prefix === '' ? {} : { prefix }) })
    }
    case 'azure:': {
      const { azureStorage } = await import('../../plugin/storage/azure.js')
      return azureStorage(url, environment)
    }
    case 'gs:': {
      const { gcsStorage } = await import('../../plugin/storage/gcs.js')
      return gcsStorage(url)
    }
    default: {
      const { fileStorage } = await import('../../plugin/storage/file.js')
      return fileStorage(url)
    }
  }
}
