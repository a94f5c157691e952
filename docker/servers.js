import { createLogger } from '../config/logger.ts'
import { readSettings } from '../config/settings.ts'
import { openMongoDB } from '../scripts/mongod/index.ts'
import { startAzurite } from '../scripts/servers/azurite.ts'
import { startFakeGcs } from '../scripts/servers/fake-gcs.ts'
import { FAKE_GCS_SERVER, goProgram, VERSITYGW } from '../scripts/servers/go-program.ts'
import { startVersitygw } from '../scripts/servers/versitygw.ts'

// node --import tsx docker/servers.js PROFILE
//
// What docker/try.sh needs beside the image: a MongoDB, and a server for the storage of the profile. Prints the settings
// that lead there, one a line, then `ready`, and stays until standard input ends.

const settings = readSettings()
const logger = createLogger({ ...settings, logLevel: 'warn' })
const built = (program) => goProgram(program, { directory: settings.cacheDirectory, logger })

const storages = {
  file: async () => ({ variables: { EXPORT_STORAGE: 'file:///exports' }, stop: async () => {} }),
  async s3() {
    const { endpoint, region, credentials, stop } = await startVersitygw(await built(VERSITYGW))
    const { accessKeyId, secretAccessKey } = credentials
    const access = { AWS_ENDPOINT_URL_S3: endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId }
    return {
      variables: { EXPORT_STORAGE: 's3://exports/fhir', ...access, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      stop,
    }
  },
  async azure() {
    const { connectionString, stop } = await startAzurite()
    const variables = { AZURE_STORAGE_CONNECTION_STRING: connectionString }
    return { variables: { EXPORT_STORAGE: 'azure://exports/fhir', ...variables }, stop }
  },
  async gcs() {
    const { url, stop } = await startFakeGcs(await built(FAKE_GCS_SERVER))
    return { variables: { EXPORT_STORAGE: 'gs://exports/fhir', STORAGE_EMULATOR_HOST: url }, stop }
  },
}

const profile = process.argv[2] ?? 'file'
const start = storages[profile]
if (start === undefined)
  throw new Error(`There is no profile ${profile}, only ${Object.keys(storages).join(', ')}.`)
const mongodb = await openMongoDB({ settings, logger })
const storage = await start()
for (const [name, value] of Object.entries({ MONGODB_URI: mongodb.uri, ...storage.variables })) {
  console.log(`${name}=${value}`)
}
console.log('ready')
process.stdin.resume().once('end', async () => {
  await storage.stop()
  await mongodb.stop()
})
