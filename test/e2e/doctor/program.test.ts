import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { readSettings } from '../../../config/settings.js'
import type { Diagnosis } from '../../../plugin/index.js'
import { collectionName, ensureIndexes, hostTypes } from '../../../scripts/host/index.js'
import { openMongoDB } from '../../../scripts/mongod/index.js'
import { population } from '../../../scripts/population/index.js'
import { store } from '../../support/export-host.js'
import { createTestLogger } from '../../support/logger.js'
import { useDatabase } from '../../support/mongodb.js'

const PROGRAM = fileURLToPath(new URL('../../../scripts/doctor.ts', import.meta.url))

interface Ended {
  readonly code: number
  readonly out: string
  readonly errors: string
}

describe('npm run doctor', function () {
  this.timeout(60_000)
  const database = useDatabase()
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bulk-export-doctor-'))
  })
  const fill = async () => {
    await store(database, population({ patients: 12 }))
    await ensureIndexes(database.db)
  }
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const run = (
    flags: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Ended> => {
    const env = {
      ...process.env,
      ...{ MONGODB_URI: database.uri, MONGODB_DB: database.name, LOG_LEVEL: 'warn' },
      ...{ EXPORT_STORAGE: pathToFileURL(folder).href, BASE_URL: 'https://fhir.example.org' },
      ...environment,
    }
    return new Promise((resolve) => {
      execFile(process.execPath, ['--import', 'tsx', PROGRAM, ...flags], { env }, (error, out, errors) => {
        resolve({ code: error === null ? 0 : Number(error.code), out, errors })
      })
    })
  }

  it('prints the good things in a few lines, and the others as a table', async () => {
    await fill()
    const { code, out } = await run([])
    expect(code).to.equal(0)
    const types = hostTypes().length
    expect(out).to.include(`${types} types read by scan: its service has exportQuery`)
    expect(out).to.match(
      new RegExp(`ok {2}types: nothing is wrong with ${types} types, \\d+ of them without`),
    )
    expect(out).to.match(/warning │ work: No process with workers/)
    expect(out.split('\n')).to.have.length.below(60)
    expect(await readdir(folder, { recursive: true })).to.deep.equal([])
  })

  it('prints the same as JSON for machines', async () => {
    await fill()
    const { code, out } = await run(['--json', '--strict', '--types', 'Patient, Observation'])
    const { level, isComplete, findings, readings } = JSON.parse(out) as Diagnosis
    expect({ code, level, isComplete }).to.deep.equal({ code: 1, level: 'warning', isComplete: true })
    expect(new Set(findings.flatMap(({ type }) => type ?? []))).to.deep.equal(
      new Set(['Patient', 'Observation']),
    )
    expect(readings.map(({ type }) => type)).to.deep.equal(['Observation', 'Patient'])
  })

  it('prints the commands for the indexes that are missing', async () => {
    await fill()
    const none = await run(['--print-indexes'])
    expect(none.out.trim()).to.equal('')
    await database.db.collection(collectionName('Condition')).dropIndexes()
    const { out } = await run(['--print-indexes'])
    expect(out.trim().split('\n')).to.deep.equal([
      `db = db.getSiblingDB(${JSON.stringify(database.name)})`,
      'db.getCollection("Condition_4_0_0").createIndex({"subject.reference":1,"_id":1})',
      'db.getCollection("Condition_4_0_0").createIndex({"asserter.reference":1,"_id":1})',
    ])
    const searched = await run(['--print-indexes'], { EXPORT_READ: 'search' })
    expect(searched.out.trim()).to.equal('')
  })

  const ends: readonly [string, readonly string[], Readonly<Record<string, string>>, number, RegExp][] = [
    ['errors', ['--types', 'Patient'], { BASE_URL: 'https://fhir.example.org/4_0_0' }, 2, /twice/],
    [
      'a database that is away',
      [],
      { MONGODB_URI: 'mongodb://user:secret@127.0.0.1:1/?serverSelectionTimeoutMS=300' },
      2,
      /cannot be reached/,
    ],
    ['no database', [], { MONGODB_URI: '' }, 3, /Set MONGODB_URI/],
    ['a wrong setting', [], { EXPORT_READ: 'fast' }, 3, /EXPORT_READ/],
    ['a wrong option', ['--fast'], {}, 3, /unknown option/],
    ['a type that there is not', ['--types', 'Patients'], {}, 3, /does not export Patients/],
    ['a user that is no JSON', ['--user', '{'], {}, 3, /JSON/],
    ['a question for help', ['--help'], {}, 0, /Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 /],
  ]
  for (const [name, flags, environment, expected, says] of ends) {
    it(`ends with ${expected} for ${name}`, async () => {
      const { code, out, errors } = await run(flags, environment)
      expect({ code, text: `${out}${errors}` })
        .to.have.property('text')
        .that.matches(says)
      expect(code).to.equal(expected)
      expect(`${out}${errors}`).to.not.include('secret').and.not.include('    at ')
    })
  }

  it('says what a standalone server costs', async () => {
    const { logger } = createTestLogger()
    const mongodb = await openMongoDB({ settings: standalone(), logger, replicaSet: false })
    try {
      const { code, out } = await run(['--types', 'Patient'], { MONGODB_URI: mongodb.uri })
      expect(code).to.equal(0)
      expect(out).to.include('standalone').and.include('once a second')
    } finally {
      await mongodb.stop()
    }
  })
})

/** Not the server of the tests, which is a replica set. */
function standalone(): ReturnType<typeof readSettings> {
  const { MONGODB_URI: _, ...environment } = process.env
  return readSettings(environment)
}
