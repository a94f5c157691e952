import type { Resource } from '../../../plugin/fhir/resource.js'
import type { CohortPatients } from '../../../plugin/jobs/cohort.js'
import { PageSizes } from '../../../plugin/jobs/page-size.js'
import type { SearchAdapter, SearchRequest, StreamRequest } from '../../../plugin/search/search-adapter.js'

// A host in memory, whose services take parameters more or less seriously, and nothing of the plugin's own ideas.

/** What a service does with a parameter. */
export type Behaviour = 'obeys' | 'ignores' | 'over-returns'

export interface ModelServices {
  /** With a reference to a patient, or an id. */
  readonly patient: Behaviour
  readonly lastUpdated: Behaviour
  /** Finds references as they are written only, and so misses absolute and versioned ones. */
  readonly isLiteral: boolean
  /** Gives resources of other types as well. */
  readonly otherTypes: boolean
  /** Resources on a page at most, whatever was asked for. */
  readonly largestPage: number
  /** Cuts into pages before it filters, so that pages are short or empty. */
  readonly cutsFirst: boolean
  /** Gives all matches as a stream as well. */
  readonly streams: boolean
  /** Takes so many references or ids in a comma list; with 1 it does not know commas. */
  readonly listSize: number
}

export const FAITHFUL: ModelServices = {
  patient: 'obeys',
  lastUpdated: 'obeys',
  isLiteral: false,
  otherTypes: false,
  largestPage: 1000,
  cutsFirst: false,
  streams: false,
  listSize: 1,
}

/** The elements that the search parameters of some types read. */
const ELEMENTS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  AuditEvent: { patient: ['agent.who', 'entity.what'], entity: ['entity.what'] },
  Composition: { subject: ['subject'], author: ['author'], attester: ['attester.party'] },
  Coverage: {
    'policy-holder': ['policyHolder'],
    subscriber: ['subscriber'],
    beneficiary: ['beneficiary'],
    payor: ['payor'],
  },
  Group: { member: ['member.entity'] },
  Observation: { subject: ['subject'], performer: ['performer'] },
  Patient: {},
}

export function modelSearch(resources: readonly Resource[], services: ModelServices): SearchAdapter {
  const matcher = ({ type, params }: Pick<SearchRequest, 'type' | 'params'>) => {
    const asked = [...params].map(([name, text]) => [name, valuesIn(name, text, services)] as const)
    return (resource: Resource) =>
      asked.every(([name, values]) => values.some((value) => matches(resource, type, name, value, services)))
  }
  const typed = (type: string) =>
    resources.filter((resource) => services.otherTypes || resource.resourceType === type)
  async function* stream(request: StreamRequest) {
    yield* typed(request.type).filter(matcher(request))
  }
  return {
    ...(services.streams ? { stream } : {}),
    listSize: () => services.listSize,
    async search({ type, params, pageSize, next }) {
      const isMatch = matcher({ type, params })
      const ofType = typed(type)
      const from = Number(next ?? 0)
      const to = from + Math.min(pageSize, services.largestPage)
      const all = services.cutsFirst ? ofType : ofType.filter(isMatch)
      const page = all.slice(from, to).filter((resource) => !services.cutsFirst || isMatch(resource))
      return { resources: page, ...(to < all.length ? { next: String(to) } : {}) }
    },
  }
}

function valuesIn(name: string, text: string, { listSize }: ModelServices): readonly string[] {
  if (listSize === 1 || name === '_lastUpdated') return [text]
  const values = text.split(',')
  if (values.length > listSize) throw new Error(`The model takes ${listSize} values of ${name}, not ${text}.`)
  return values
}

/** Pages of so many resources, whatever their size. */
export function pagesOf(resources: number): PageSizes {
  return new PageSizes({ resources, bytes: Infinity })
}

/** A cohort in memory; the real one has tests of its own. */
export function modelCohort(ids: readonly string[]): CohortPatients {
  const sorted = [...ids].sort()
  return {
    async *patients({ from = '', below } = {}) {
      yield* sorted.filter((id) => id >= from && (below === undefined || id < below))
    },
    among: async (asked) => new Set(asked.filter((id) => sorted.includes(id))),
  }
}

function matches(
  resource: Resource,
  type: string,
  name: string,
  value: string,
  services: ModelServices,
): boolean {
  const behaviour = name === '_lastUpdated' ? services.lastUpdated : services.patient
  if (behaviour === 'ignores' || resource.resourceType !== type) return true
  if (behaviour === 'over-returns' && isStray(resource, value)) return true
  if (name === '_id') return resource.id === value
  if (name === '_lastUpdated') {
    const { lastUpdated } = resource.meta ?? {}
    if (lastUpdated === undefined) return true
    return value.startsWith('gt') && Date.parse(String(lastUpdated)) > Date.parse(value.slice(2))
  }
  const elements = ELEMENTS[type]?.[name]
  if (elements === undefined) throw new Error(`The model has no search parameter ${name} of ${type}.`)
  const references = elements.flatMap((element) => valuesAt(resource, [...element.split('.'), 'reference']))
  return references.some((reference) => (services.isLiteral ? reference : plain(String(reference))) === value)
}

/** `Patient/a` for every way to write it that a server takes for its own. */
export function plain(reference: string): string {
  return reference.replace(/^https:\/\/fhir\.example\.org\/4_0_0\//, '').replace(/\/_history\/\w+$/, '')
}

/** Some resources, the same ones each time, that come although they do not match. */
function isStray({ id = '' }: Resource, value: string): boolean {
  return (id.length + value.length + (id.codePointAt(id.length - 1) ?? 0)) % 3 === 0
}

function valuesAt(value: unknown, path: readonly string[]): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => valuesAt(item, path))
  const [name, ...rest] = path
  if (name === undefined) return value === undefined ? [] : [value]
  return typeof value === 'object' && value !== null
    ? valuesAt((value as Readonly<Record<string, unknown>>)[name], rest)
    : []
}
