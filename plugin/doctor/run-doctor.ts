import { describeError } from '../errors.js'
import { hostQueries } from '../search/host-query.js'
import { untilAborted } from '../until-aborted.js'
import { configuration } from './configuration.js'
import {
  type DoctorOptions,
  EXAMINED,
  type Examination,
  type ExaminedHost,
  type Instructions,
  type OpenDatabase,
} from './examined-host.js'
import { type Diagnosis, type Finding, type TypeReading, worstOf } from './finding.js'
import type { HostCheck } from './host-check.js'
import { allOf } from './in-turns.js'
import { ownIndexes } from './own-indexes.js'
import { profilesOf, type ServedType } from './profiles.js'
import { clock, server } from './server.js'
import { storageFiles } from './storage-files.js'
import { examineType, type TypeExamination } from './type-examination.js'
import { unseen } from './unseen.js'
import { bells, stuckWork, workers } from './work.js'

/** What is looked at in a host, besides its types, in this order. */
const HOST_CHECKS: readonly HostCheck[] = [
  ...[configuration, server, clock, workers, stuckWork, bells],
  ...[storageFiles, ownIndexes],
]

/** No check of a host has more steps. */
const MOST_STEPS = 20
/** What a check may take besides its steps, in ms. */
const SPARE_TIME = 30_000

/** What a host whose options are these is looked at with, where nothing else is said. Times in ms. */
const DEFAULTS = { sample: 20, atOnce: 4, stepTimeout: 10_000, timeout: 300_000 } as const

/**
 * Looks at a host with the plugin, and tells what exports would suffer from. The host may be started or not, and
 * exports may run: it only reads, a few resources of each type, except for one file that it writes to the storage and
 * removes. What it finds has no ids and no values of resources; what services and storages put into their errors goes
 * to the log (`doctor.search-failed`, `doctor.storage-failed`) and is not repeated.
 *
 * @throws Error for options that are wrong
 */
export async function runDoctor(
  bulkExport: { readonly [EXAMINED]: ExaminedHost },
  options: DoctorOptions = {},
): Promise<Diagnosis> {
  const started = performance.now()
  const host = bulkExport[EXAMINED]
  const instructions = instructionsOf(host, options)
  const { served } = profilesOf(host, instructions.types)
  const findings: Finding[] = []
  const database = await connected(host, findings)
  let isComplete = false
  let readings = served.map(({ type, version, way, reason }): TypeReading => ({ type, version, way, reason }))
  try {
    const queries = hostQueries(host.options.config, { searchTimeout: instructions.stepTimeout })
    const examination: Examination = { host, instructions, queries, database }
    for (const check of HOST_CHECKS) findings.push(...(await checked(check, examination)))
    // Services mostly read the same database: each of them would only say so once more, and take its time.
    if (database !== undefined) {
      const seen = await examineTypes(served, { ...examination, database })
      findings.push(...seen.findings)
      readings = readings.map((reading, index) => seen.readings[index] ?? reading)
      isComplete = seen.isComplete
    }
  } finally {
    await database?.close()
  }
  const ms = Math.round(performance.now() - started)
  return { level: worstOf(findings), isComplete, ms, readings, findings }
}

async function connected(host: ExaminedHost, findings: Finding[]): Promise<OpenDatabase | undefined> {
  const place = { area: 'database', check: 'connection' } as const
  try {
    const database = await host.connect()
    findings.push({ level: 'ok', what: 'The database can be reached.', ...place })
    return database
  } catch (error) {
    host.logger.warn('doctor.database-unreachable', { error: describeError(error) })
    findings.push({
      level: 'error',
      what: 'The database cannot be reached.',
      cost: 'Kick-offs and status requests are answered 503. Services and all that is in the database were not looked at.',
      remedy:
        'Look at mongodb.uri, the network, and the user; the log has the reason (doctor.database-unreachable).',
      ...place,
    })
    return undefined
  }
}

async function checked(
  { name, area, run }: HostCheck,
  examination: Examination,
): Promise<readonly Finding[]> {
  // Each of its steps has a limit; a driver that hangs may know none.
  const timeout = MOST_STEPS * examination.instructions.stepTimeout + SPARE_TIME
  try {
    const remarks = await untilAborted(() => run(examination), { timeout })
    return remarks.map((remark) => ({ ...remark, area, check: name }))
  } catch (error) {
    return [{ ...unseen(error, examination.host, name), area, check: name }]
  }
}

/** What was seen of a type; its reading only when the look came so far. */
type Seen = Pick<TypeExamination, 'findings'> & Partial<TypeExamination>

async function examineTypes(
  types: readonly ServedType[],
  examination: Examination & { readonly database: OpenDatabase },
): Promise<{
  readonly findings: readonly Finding[]
  /** By the index of the type; `undefined` for what was not looked at to the end. */
  readonly readings: readonly (TypeReading | undefined)[]
  readonly isComplete: boolean
}> {
  const { atOnce, timeout } = examination.instructions
  const over = new AbortController()
  const timer = setTimeout(() => over.abort(new Error('The time is over.')), timeout)
  const { signal } = over
  const place = { area: 'reading', check: 'answer' } as const
  try {
    const found = await allOf(types, atOnce, async (served): Promise<Seen | undefined> => {
      try {
        return await untilAborted(() => examineType(served, examination, signal), { signal })
      } catch (error) {
        if (signal.aborted) return undefined
        const { type, version } = served
        return { findings: [{ ...unseen(error, examination.host, place.check), ...place, type, version }] }
      }
    })
    const left = types.filter((_, index) => found[index] === undefined)
    const late = left.map(({ type, version }): Finding => ({ ...TIME_OVER, ...place, type, version }))
    return {
      findings: [...found.flatMap((each) => each?.findings ?? []), ...late],
      readings: found.map((each) => each?.reading),
      isComplete: left.length === 0,
    }
  } finally {
    clearTimeout(timer)
  }
}

const TIME_OVER = {
  level: 'warning',
  what: 'The time was over before the type was looked at to the end.',
  cost: 'What may be wrong with it is not known.',
  remedy: 'Give more time, or look at some types only.',
} as const

function instructionsOf(host: ExaminedHost, options: DoctorOptions): Instructions {
  const { types, caller, baseUrl = host.options.baseUrl ?? 'http://localhost', nodeEnv } = options
  if (!URL.canParse(baseUrl)) throw new Error('runDoctor: baseUrl must be a URL.')
  const given = { ...DEFAULTS, ...withoutAbsent(options) }
  for (const name of ['sample', 'atOnce', 'stepTimeout', 'timeout'] as const) {
    if (!Number.isInteger(given[name]) || given[name] < 1) {
      throw new Error(`runDoctor: ${name} must be a whole number above 0.`)
    }
  }
  const known = new Set(profilesOf(host, undefined).served.map(({ type }) => type))
  const unknown = types?.filter((type) => !known.has(type)) ?? []
  if (unknown.length > 0) throw new Error(`runDoctor: this host does not export ${unknown.join(', ')}.`)
  const { sample, atOnce, stepTimeout, timeout } = given
  return {
    ...(types === undefined ? {} : { types }),
    caller: { headers: {}, ...caller },
    baseUrl: baseUrl.replace(/\/+$/, ''),
    ...{ sample, atOnce, stepTimeout, timeout, nodeEnv },
  }
}

/** An option that is given as `undefined` is not given. */
function withoutAbsent<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
}
