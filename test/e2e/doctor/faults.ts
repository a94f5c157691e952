import { bundle, GOOD, type ModelParts, type ModelResource, pageFrom } from './model-service.js'

const BASE = 'https://fhir.example.org/4_0_0'

/** Observations of five patients, updated a minute after each other. */
export function observations(count: number, change: (index: number) => object = () => ({})): ModelResource[] {
  return Array.from({ length: count }, (_, index) => ({
    resourceType: 'Observation',
    id: `secret-${String(index).padStart(3, '0')}`,
    meta: { lastUpdated: new Date(Date.UTC(2024, 0, 1, 0, index)).toISOString() },
    subject: { reference: `Patient/secret-p${index % 5}` },
    valueString: 'secret-value',
    ...change(index),
  }))
}

export const isAsked = (args: object, name: string) => name in args
const tellingError = () => new Error('secret-value of Observation/secret-001')

/** A service, and what the doctor has to find in it. */
export interface Fault {
  readonly name: string
  readonly bad?: Partial<ModelParts>
  readonly resources?: readonly ModelResource[]
  /** What is found, as `level check`. */
  readonly found: readonly string[]
  /** What one of the findings says. */
  readonly says?: RegExp
}

/** Five that the doctor has to know by their names, and a good one; then more. */
export const FAULTS: readonly Fault[] = [
  { name: 'a good host', found: [] },
  {
    name: 'a host that ignores paging',
    bad: { page: (matching) => matching },
    found: ['warning paging'],
    says: /everything comes at once.*_count is ignored/i,
  },
  {
    name: 'a host that ignores _lastUpdated',
    bad: {
      matches: (resource, name, value) => name === '_lastUpdated' || GOOD.matches(resource, name, value),
    },
    found: ['warning last-updated'],
    says: /_lastUpdated is ignored/,
  },
  {
    name: 'a host that throws',
    bad: { search: () => Promise.reject(tellingError()) },
    found: ['error answer'],
    says: /The search throws Error\./,
  },
  {
    name: 'a host with duplicates over pages',
    bad: {
      page: (matching, query) => pageFrom(matching, query, Math.max(0, Number(query['_start'] ?? 0) - 1)),
    },
    found: ['error paging'],
    says: /on more than one page/,
  },
  {
    name: 'a host with an empty type',
    resources: [],
    found: [],
  },
  {
    name: 'a host that ignores paging and has an empty Bundle',
    resources: [],
    bad: { page: () => ({ resourceType: 'Bundle' }) },
    found: [],
  },
  {
    name: 'a host that gives an array without a next page, as long as _count says',
    bad: { page: (matching, { _count: count }) => matching.slice(0, Number(count)) },
    found: ['warning paging'],
    says: /no link to the rest/,
  },
  {
    name: 'a host that cuts its Bundles off',
    bad: { page: (matching) => bundle(matching.slice(0, 3), { total: matching.length }) },
    found: ['error paging'],
    says: /larger total/,
  },
  {
    name: 'a host that gives as many as asked for, no link, but the total',
    bad: {
      page: (matching, { _count: count }) =>
        bundle(matching.slice(0, Number(count)), { total: matching.length }),
    },
    found: ['warning paging'],
    says: /no link to the rest/,
  },
  {
    name: 'a host that gives an array in which some come twice',
    bad: { page: (matching) => [...matching, ...matching.slice(0, 2)] },
    found: ['error paging', 'warning paging'],
    says: /more than once in an answer/,
  },
  {
    name: 'a host whose pages are as large as it likes',
    bad: { page: (matching, query) => pageFrom(matching, { _count: '8' }, Number(query['_start'] ?? 0)) },
    found: ['notice paging'],
  },
  {
    name: 'a host that has just as many as were asked for, in an array',
    resources: observations(5),
    bad: { page: (matching) => matching },
    found: [],
  },
  {
    name: 'a host whose link leads to the same page',
    bad: {
      page: (matching, query) => pageFrom(matching, query, 0),
    },
    found: ['error paging'],
    says: /again and again/,
  },
  {
    name: 'a host that throws for the second page',
    bad: {
      search: (args, query, answer) =>
        query['_start'] === undefined ? answer(args, query) : Promise.reject(tellingError()),
    },
    found: ['error answer'],
    says: /The search throws Error\./,
  },
  {
    name: 'a host that throws for _lastUpdated',
    bad: {
      search: (args, query, answer) =>
        isAsked(args, '_lastUpdated')
          ? Promise.reject(Object.assign(new TypeError('secret-value'), { statusCode: 400 }))
          : answer(args, query),
    },
    found: ['error last-updated'],
    says: /by _lastUpdated throws TypeError with status 400/,
  },
  {
    name: 'a host that throws what is no Error',
    bad: { search: () => Promise.reject('secret-value') },
    found: ['error answer'],
    says: /throws what is no Error/,
  },
  {
    name: 'a host that answers with something else',
    bad: { page: () => ({ total: 3 }) },
    found: ['error answer'],
    says: /neither a Bundle nor an array/,
  },
  {
    name: 'a host that compares the texts of times',
    resources: observations(30, (index) => ({
      meta: { lastUpdated: `2024-01-01T0${index % 8}:30:00.000+09:00` },
    })),
    bad: {
      matches: (resource, name, value) => {
        if (name !== '_lastUpdated') return GOOD.matches(resource, name, value)
        const text = String(resource.meta?.lastUpdated)
        return value.startsWith('gt') ? text > value.slice(2) : text < value.slice(2)
      },
    },
    found: ['error last-updated'],
    says: /leaves out resources/,
  },
  {
    name: 'a host that compares times as times, whatever their offset',
    resources: observations(30, (index) => ({
      meta: { lastUpdated: `2024-01-01T0${index % 8}:30:00.000+09:00` },
    })),
    found: [],
  },
  {
    name: 'a host that ignores the patient',
    bad: {
      matches: (resource, name, value) =>
        !['_id', '_lastUpdated'].includes(name) || GOOD.matches(resource, name, value),
    },
    found: ['warning patient-parameters', 'warning patient-parameters'],
    says: /resources of others/,
  },
  {
    name: 'a host that finds nothing by patient',
    bad: {
      matches: (resource, name, value) =>
        ['_id', '_lastUpdated'].includes(name) && GOOD.matches(resource, name, value),
    },
    found: ['error patient-parameters'],
    says: /does not find a resource of that patient/,
  },
  {
    name: 'a host that finds no reference with a version',
    resources: observations(30, (index) =>
      index === 7 ? { subject: { reference: `${BASE}/Patient/secret-p1/_history/2` } } : {},
    ),
    bad: {
      matches: (resource, name, value) =>
        name === 'subject'
          ? (resource[name] as { reference: string }).reference === value
          : GOOD.matches(resource, name, value),
    },
    found: ['error patient-parameters'],
    says: /absolute or names a version/,
  },
  {
    name: 'a host that takes commas for part of a value',
    bad: { values: (value) => [value] },
    found: ['warning comma-lists'],
    says: /commas between them/,
  },
  {
    name: 'a host that ignores _id',
    bad: { matches: (resource, name, value) => name === '_id' || GOOD.matches(resource, name, value) },
    found: ['notice id'],
  },
  {
    name: 'a host that finds nothing by _id',
    bad: { matches: (resource, name, value) => name !== '_id' && GOOD.matches(resource, name, value) },
    found: ['warning id'],
  },
  {
    name: 'a host that gives another type',
    resources: observations(30, (index) => (index === 4 ? { resourceType: 'Patient' } : {})),
    found: ['error resources'],
    says: /another type/,
  },
  {
    name: 'a host without ids',
    resources: observations(12, () => ({ id: undefined })),
    found: ['warning resources'],
    says: /no id/,
  },
  {
    name: 'a host without times',
    resources: observations(30, (index) => (index === 2 ? { meta: {} } : {})),
    found: ['warning resources'],
    says: /no meta.lastUpdated/,
  },
  {
    name: 'a host whose resources are of tomorrow',
    resources: observations(30, () => ({
      meta: { lastUpdated: new Date(Date.now() + 86_400_000).toISOString() },
    })),
    found: ['warning resources'],
    says: /in the future/,
  },
]
