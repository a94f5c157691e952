import { examineCollection } from './collection-examination.js'
import { commaLists } from './comma-lists.js'
import type { Examination, OpenDatabase } from './examined-host.js'
import type { ExaminedType, TypeCheck } from './examined-type.js'
import type { Finding, Remark, TypeReading } from './finding.js'
import { lastUpdated } from './last-updated.js'
import { type PageWalk, walkPages } from './page-walk.js'
import { paging } from './paging.js'
import { patientParameters } from './patient-parameters.js'
import type { ServedType } from './profiles.js'
import { resourceForm } from './resource-form.js'
import { searchById } from './search-by-id.js'
import { SearchFailure, serviceProbe } from './service-probe.js'
import { stability } from './stability.js'

/** What is looked at in each type that has resources, in this order. */
const TYPE_CHECKS: readonly TypeCheck[] = [
  paging,
  stability,
  resourceForm,
  searchById,
  lastUpdated,
  patientParameters,
  commaLists,
]

/** Pages of a sample. */
const PAGES = 4
/** A first search of so few resources that takes longer than this is slow, in ms. */
const SLOW = 1000

/** What was seen of a type, and how exports really read it. */
export interface TypeExamination {
  readonly reading: TypeReading
  readonly findings: readonly Finding[]
}

/**
 * Looks at one type: asks its service as an export would, but for few resources.
 *
 * @param signal aborted when the time for all types is over; rejects with its reason then
 */
export async function examineType(
  served: ServedType,
  { host, instructions, queries, database }: Examination & { readonly database: OpenDatabase },
  signal: AbortSignal,
): Promise<TypeExamination> {
  const { type, version } = served
  const { sample, caller, baseUrl, stepTimeout: timeout } = instructions
  const base = `${baseUrl}/${version}`
  const count = Math.max(1, Math.ceil(sample / PAGES))
  const probe = serviceProbe(served, { base, caller, count, timeout, signal, logger: host.logger })
  const placed = (check: string, remarks: readonly Remark[], area: Finding['area'] = 'reading') =>
    remarks.map((remark): Finding => ({ ...remark, area, check, type, version }))
  const collection = await examineCollection({ served, host, instructions, queries, signal }, database.db)
  const reading = { type, version, ...collection.reading }
  const findings = [
    ...placed('resource-indexes', collection.indexes, 'indexes'),
    ...placed('collection', collection.remarks),
  ]
  const walk = await orFailure(walkPages(probe))
  if (walk instanceof SearchFailure) {
    return { reading, findings: [...findings, ...placed('answer', [unanswered(walk)])] }
  }
  findings.push(...placed('answer', [answered(walk)]))
  const examined: ExaminedType = { served, base, probe, walk, sample: walk.resources.slice(0, sample) }
  findings.push(...placed('collection', await collection.content(examined)))
  if (walk.resources.length === 0) return { reading, findings }
  for (const check of TYPE_CHECKS) {
    const remarks = await orFailure(check.run(examined))
    if (!(remarks instanceof SearchFailure)) {
      findings.push(...placed(check.name, remarks))
      continue
    }
    findings.push(...placed(check.name, [unansweredIn(check, remarks)]))
    // It may hang each time.
    if (remarks.reason === 'late') break
  }
  return { reading, findings }
}

/** Only what the service did is a finding about the type. */
async function orFailure<T>(work: Promise<T>): Promise<T | SearchFailure> {
  try {
    return await work
  } catch (error) {
    if (error instanceof SearchFailure) return error
    throw error
  }
}

function answered({ pages, resources }: PageWalk): Remark {
  const ms = Math.round(pages[0]?.ms ?? 0)
  if (ms > SLOW) return { ...SLOW_ANSWER, detail: `${ms} ms` }
  if (resources.length === 0)
    return { level: 'ok', what: 'The search answers. There are no resources to look at.' }
  return { level: 'ok', what: 'The search answers.', detail: `${ms} ms` }
}

function unanswered({ message }: SearchFailure): Remark {
  return {
    level: 'error',
    what: `The search ${message}.`,
    cost: 'Exports of the type fail, and with them those of the whole system.',
    remedy: REMEDY,
  }
}

function unansweredIn({ failure }: TypeCheck, { message }: SearchFailure): Remark {
  const { level, search, cost } = failure
  return { level, what: `${search} ${message}.`, cost, remedy: REMEDY }
}

const REMEDY =
  'The log has what the service says (doctor.search-failed). It is called as by the core: search(args, { req }), with the user of the caller.'

const SLOW_ANSWER: Remark = {
  level: 'notice',
  what: 'A search for a few resources is slow.',
  cost: 'A large export needs many such searches.',
  remedy: 'Look at the query that the service makes; an index may be missing.',
}
