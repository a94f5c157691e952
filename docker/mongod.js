import { createLogger } from '../config/logger.ts'
import { readSettings } from '../config/settings.ts'
import { openMongoDB } from '../scripts/mongod/index.ts'

// node --import tsx docker/mongod.js
//
// A MongoDB for docker/try.sh: prints its URI, and stays until standard input ends.

const settings = readSettings()
const mongodb = await openMongoDB({ settings, logger: createLogger({ ...settings, logLevel: 'warn' }) })
console.log(mongodb.uri)
process.stdin.resume().once('end', () => mongodb.stop())
