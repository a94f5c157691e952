import { type Connection, createConnection } from 'mongoose'
import { createModels, type Models } from '../../plugin/jobs/collections.js'
import { type ExportJobs, type HeldTask, openExportJobs } from '../../plugin/jobs/export-jobs.js'
import type { ExportTask, JobFailure } from '../../plugin/jobs/model.js'
import { type TestDatabase, useDatabase } from '../support/mongodb.js'

export const TYPES = ['Condition', 'Observation', 'Patient']
export const FAILURE: JobFailure = {
  status: 500,
  issues: [{ severity: 'error', code: 'exception', diagnostics: 'It broke.' }],
}

export const newJob = (id: string, types: readonly string[] = TYPES) => ({
  _id: id,
  level: 'group' as const,
  groupId: 'g',
  types,
  since: new Date('2024-01-01T00:00:00.001Z'),
  transactionTime: new Date('2024-01-31T12:00:00.002Z'),
  requestUrl: 'https://fhir.example.org/4_0_0/Group/g/$export',
  base: 'https://fhir.example.org/4_0_0',
  // Names that a database may not take for keys.
  caller: JSON.stringify({
    user: { 'https://claims.example.org/$x.y': ['ä'] },
    headers: { '$where.x': '1' },
  }),
})
export const file = (name: string, resources = 3) => {
  return { kind: 'output' as const, name, resources, bytes: 10 * resources }
}
export const position = (finished: number) => ({
  patient: 'p.1',
  path: 0,
  page: '_cursor=$a.b%20&x={"$ne":1}',
  finished,
  lastId: `o${finished}`,
})

/** The record of exports on a database of each test. */
export interface JobRecord {
  readonly database: TestDatabase
  readonly jobs: ExportJobs
  /** On the same database: whoever claims here is taken for dead at once. */
  readonly dying: ExportJobs
  readonly models: Models
  /** One more process on the same database. */
  connect(lease: number): Promise<ExportJobs>
  /** All documents of `bulkexport.[name]`. */
  documents(name: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  taskOf(task: Pick<ExportTask, 'job' | '_id'>): Promise<ExportTask | undefined>
  /** A running job with one waiting task for each type. */
  planned(id: string, types?: readonly string[]): Promise<void>
  /** A task that must be there. */
  claimed(source?: ExportJobs): Promise<HeldTask>
  /** Claims and finishes all that can be claimed. */
  finishAll(): Promise<void>
}

/** Call inside a `describe`. The record may be used in hooks and tests. */
export function useJobRecord(): JobRecord {
  const database = useDatabase()
  let connections: Connection[] = []
  let opened: Pick<JobRecord, 'jobs' | 'dying' | 'models'> | undefined
  const open = async (lease: number) => {
    const connection = await createConnection(database.uri).asPromise()
    connections.push(connection)
    const models = createModels(connection)
    return { models, jobs: await openExportJobs(connection, models, lease) }
  }
  beforeEach('open the record', async () => {
    connections = []
    const { jobs: dying } = await open(-1)
    opened = { ...(await open(60_000)), dying }
  })
  afterEach('close the record', () => Promise.all(connections.map((connection) => connection.close())))
  const current = () => {
    if (opened === undefined) throw new Error('useJobRecord() gives a record to hooks and tests only')
    return opened
  }
  const record: JobRecord = {
    database,
    get jobs() {
      return current().jobs
    },
    get dying() {
      return current().dying
    },
    get models() {
      return current().models
    },
    connect: async (lease) => (await open(lease)).jobs,
    documents: (name) => database.db.collection(`bulkexport.${name}`).find().toArray(),
    taskOf: async ({ job, _id }) => (await record.jobs.tasks(job)).find((task) => task._id === _id),
    async planned(id, types = TYPES) {
      await record.jobs.accept(newJob(id, types))
      await record.jobs.plan({ _id: id, types })
    },
    async claimed(source = record.jobs) {
      const task = await source.claim()
      if (task === undefined) throw new Error('There is nothing to claim.')
      return task
    },
    async finishAll() {
      const { jobs } = record
      for (let task = await jobs.claim(); task !== undefined; task = await jobs.claim()) {
        await jobs.release(task, 'done')
      }
    },
  }
  return record
}
