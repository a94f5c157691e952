import { type Connection, type Model, Schema } from 'mongoose'
import type { CohortPage, ExportJob, ExportTask, WorkerProcess } from './model.js'

/** The collections of the plugin. */
export interface Models {
  readonly jobs: Model<ExportJob>
  readonly tasks: Model<ExportTask>
  readonly cohort: Model<CohortPage>
  readonly workers: Model<WorkerProcess>
}

const STRICT = {
  versionKey: false,
  minimize: false,
  strict: 'throw',
  autoIndex: false,
  autoCreate: false,
} as const

/** When the record of a worker that died is removed, in seconds. */
const FORGET_WORKERS = 3600

/** The collections `bulkexport.jobs`, `.tasks`, `.cohorts` and `.workers` of a connection. */
export function createModels(connection: Connection): Models {
  const issue = new Schema(
    { severity: String, code: String, diagnostics: String, expression: String },
    { _id: false, ...STRICT },
  )
  const jobs = new Schema(
    {
      _id: { type: String, required: true },
      status: { type: String, required: true },
      level: { type: String, required: true },
      groupId: String,
      types: { type: [String], required: true },
      since: Date,
      before: Date,
      filters: { type: [{ _id: false, type: { type: String }, query: String }], default: undefined },
      elements: { type: Schema.Types.Mixed },
      patients: { type: [String], default: undefined },
      transactionTime: { type: Date, required: true },
      requestUrl: { type: String, required: true },
      base: { type: String, required: true },
      owner: String,
      caller: { type: String, required: true },
      folder: String,
      notes: { type: [issue], default: undefined },
      listsDeleted: Boolean,
      provenance: new Schema({ which: String, of: [String] }, { _id: false, ...STRICT }),
      fingerprint: String,
      separateStatus: Boolean,
      fileNumbers: { type: Schema.Types.Mixed, required: true },
      served: { type: Number, required: true },
      lately: { type: [{ _id: false, at: Date, resources: Number }], default: undefined },
      placed: Boolean,
      planFailures: Number,
      endFailures: Number,
      cohort: String,
      slices: { type: [String], default: undefined },
      scans: { type: Schema.Types.Mixed },
      readings: { type: Schema.Types.Mixed },
      startedAt: Date,
      swept: Boolean,
      endedAt: Date,
      failure: new Schema({ status: Number, issues: [issue] }, { _id: false, ...STRICT }),
    },
    STRICT,
  )
    .index({ endedAt: 1, owner: 1 })
    .index({ endedAt: 1, fingerprint: 1 })
    .index({ status: 1, endedAt: 1 })
    .index({ transactionTime: -1, _id: -1 })
  const file = new Schema(
    { kind: String, name: String, resources: Number, bytes: Number, gzipBytes: Number, sha256: String },
    { _id: false, ...STRICT },
  )
  const range = new Schema({ from: String, below: String }, { _id: false, ...STRICT })
  const tasks = new Schema(
    {
      _id: { type: String, required: true },
      job: { type: String, required: true },
      kind: { type: String, required: true },
      type: String,
      patients: range,
      scan: range,
      status: { type: String, required: true },
      attempt: { type: Number, required: true },
      failures: { type: Number, required: true },
      lastFailure: String,
      worker: String,
      notBefore: Date,
      leaseUntil: Date,
      position: { type: Schema.Types.Mixed },
      files: { type: [file], required: true },
    },
    STRICT,
  )
    .index({ job: 1, status: 1 })
    .index({ status: 1, leaseUntil: 1 })
  const cohort = new Schema(
    {
      _id: { type: String, required: true },
      job: { type: String, required: true },
      cohort: { type: String, required: true },
      last: { type: String, required: true },
      patients: { type: [String], required: true },
    },
    STRICT,
  )
    .index({ cohort: 1, last: 1 })
    .index({ job: 1 })
  const workers = new Schema(
    { _id: { type: String, required: true }, aliveAt: { type: Date, required: true }, name: String },
    STRICT,
  ).index({ aliveAt: 1 }, { expireAfterSeconds: FORGET_WORKERS })
  return {
    jobs: connection.model<ExportJob>('ExportJob', jobs, 'bulkexport.jobs'),
    tasks: connection.model<ExportTask>('ExportTask', tasks, 'bulkexport.tasks'),
    cohort: connection.model<CohortPage>('CohortPage', cohort, 'bulkexport.cohorts'),
    workers: connection.model<WorkerProcess>('WorkerProcess', workers, 'bulkexport.workers'),
  }
}
