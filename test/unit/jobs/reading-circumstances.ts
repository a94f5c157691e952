import fc from 'fast-check'
import type { Resource } from '../../../plugin/fhir/resource.js'
import type { Cohort } from '../../../plugin/jobs/cohort.js'
import type { Position } from '../../../plugin/jobs/model.js'
import { readResources, type Selection } from '../../../plugin/jobs/resource-reader.js'
import type { SearchAdapter } from '../../../plugin/search/search-adapter.js'
import { compartmentsOf } from '../../support/compartment.js'
import { type ModelServices, modelCohort, pagesOf, plain } from './search-model.js'

export const BASE = 'https://fhir.example.org/4_0_0'
export const UNTIL = new Date('2024-01-31T12:00:00.000Z')
export const SINCE = new Date('2024-01-31T11:00:00.000Z')
// Their order by code unit is not the one of a dictionary, and one begins another.
export const PATIENTS = ['a', 'B', '10', '9', 'a.1', 'a-1', 'Z', 'p1', 'p10', 'p2']
export const TYPES = ['Patient', 'Observation', 'Coverage', 'Composition', 'Group']

const references = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...PATIENTS).map((id) => ({ reference: `Patient/${id}` })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.constantFrom('', `${BASE}/`),
          fc.constantFrom(...PATIENTS),
          fc.constantFrom('', '/_history/2'),
        )
        .map(([base, id, version]) => ({ reference: `${base}Patient/${id}${version}` })),
    },
    { weight: 1, arbitrary: fc.constantFrom({ reference: 'Practitioner/a' }, { display: 'x' }) },
  ),
  { maxLength: 3 },
)
const lastUpdated = fc.option(
  fc
    .constantFrom(SINCE.getTime(), UNTIL.getTime())
    .chain((time) => fc.integer({ min: -2, max: 2 }).map((ms) => new Date(time + ms).toISOString())),
  { nil: undefined, freq: 6 },
)

/** Resources of a few types in any order, with references to patients at all places that count. */
const data = fc
  .array(
    fc.record({
      type: fc.constantFrom(...TYPES),
      at: fc.tuple(references, references, references),
      lastUpdated,
    }),
    {
      maxLength: 24,
    },
  )
  .map((drafts) => {
    const patients = new Set<string>()
    return drafts.flatMap(({ type, at: [first, second, third], lastUpdated: updated }, index): Resource[] => {
      const meta = updated === undefined ? {} : { meta: { lastUpdated: updated } }
      const [one] = first
      const id =
        type === 'Patient' ? (PATIENTS[index % PATIENTS.length] as string) : `${type.toLowerCase()}${index}`
      if (type === 'Patient' && patients.has(id)) return []
      patients.add(id)
      const single = <T extends string>(element: T) => (one === undefined ? {} : { [element]: one })
      const elements: Readonly<Record<string, object>> = {
        Observation: { ...single('subject'), performer: second },
        Coverage: { ...single('beneficiary'), policyHolder: second[0], subscriber: second[1], payor: third },
        Composition: { ...single('subject'), author: second, attester: third.map((party) => ({ party })) },
        Group: { member: [...first, ...second].map((entity) => ({ entity })) },
      }
      return [JSON.parse(JSON.stringify({ resourceType: type, id, ...meta, ...elements[type] })) as Resource]
    })
  })

const services: fc.Arbitrary<ModelServices> = fc.record({
  patient: fc.constantFrom('obeys', 'ignores', 'over-returns'),
  lastUpdated: fc.constantFrom('obeys', 'ignores', 'over-returns'),
  isLiteral: fc.boolean(),
  otherTypes: fc.boolean(),
  largestPage: fc.integer({ min: 1, max: 8 }),
  cutsFirst: fc.boolean(),
  streams: fc.boolean(),
  listSize: fc.integer({ min: 1, max: 4 }),
})
const cohorts = fc.oneof(
  fc.constantFrom(undefined, 'everyone' as const),
  fc.uniqueArray(fc.constantFrom(...PATIENTS)),
)
/** A host in memory and what is asked of it. */
export const circumstances = fc.record({
  resources: data,
  given: services,
  patients: cohorts,
  type: fc.constantFrom(...TYPES),
  hasSince: fc.boolean(),
  pageSize: fc.integer({ min: 1, max: 10 }),
  concurrency: fc.integer({ min: 1, max: 5 }),
})
export type Circumstances = typeof circumstances extends fc.Arbitrary<infer T> ? T : never

export function selectionOf({ type, patients, hasSince }: Circumstances): Selection {
  const cohort: Cohort | undefined = Array.isArray(patients) ? modelCohort(patients) : patients
  return {
    type,
    window: { until: UNTIL, ...(hasSince ? { since: SINCE } : {}) },
    base: BASE,
    ...(cohort === undefined ? {} : { cohort }),
  }
}

/** What must come, from a published table of the compartment definition and plain comparisons. */
export function expectedIds(
  { resources, type, patients, hasSince }: Circumstances,
  read: (reference: string) => string = plain,
): readonly (string | undefined)[] {
  return resources
    .filter((resource) => {
      const compartments = compartmentsOf(withReferences(resource, patients === 'everyone' ? plain : read))
      if (resource.resourceType !== type) return false
      if (patients === 'everyone' && compartments.size === 0) return false
      if (Array.isArray(patients) && !patients.some((patient) => compartments.has(patient))) return false
      const updated = resource.meta?.lastUpdated
      if (updated === undefined) return true
      const time = Date.parse(String(updated))
      return time <= UNTIL.getTime() && (!hasSince || time > SINCE.getTime())
    })
    .map(({ id }) => id)
    .sort()
}

/** The resource with each of its references read in this way. */
function withReferences(resource: Resource, read: (reference: string) => string): Resource {
  const revive = (key: string, value: unknown) => (key === 'reference' ? read(String(value)) : value)
  return JSON.parse(JSON.stringify(resource), revive) as Resource
}

export interface SomeReading {
  readonly search: SearchAdapter
  readonly pageSize: number
  readonly concurrency?: number
  readonly from?: Position | undefined
  readonly most: number
}

/** Reads up to `most` resources from a position, and gives the position after the last of them. */
export async function readSome(
  selection: Selection,
  { search, pageSize, concurrency = 1, from, most }: SomeReading,
) {
  const { signal } = new AbortController()
  const found: (string | undefined)[] = []
  let position = from
  for await (const item of readResources(selection, {
    ...{ search, concurrency, signal, pages: pagesOf(pageSize) },
    ...(from ? { from } : {}),
  })) {
    if (found.length === most) return { found, position, isEnd: false }
    found.push(item.resource.id)
    // It goes through the database between two attempts.
    position = JSON.parse(JSON.stringify(item.position)) as Position
  }
  return { found, position, isEnd: true }
}
