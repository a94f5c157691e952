import { compartmentOf } from '../fhir/patient-compartment.js'
import { type Askable, askable, type ExaminedType, isUnchanged, type TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'
import { walkPages } from './page-walk.js'

/** Whether several values with commas between them find what any of them finds. */
export const commaLists: TypeCheck = {
  name: 'comma-lists',
  failure: {
    level: 'warning',
    search: 'A search by several values with commas between them',
    cost: 'Exports with such a _typeFilter fail, and patients of a group are searched for one by one.',
  },
  async run(examined) {
    const seen: boolean[] = []
    for (const { params, wanted, isObeyed } of listsOf(examined)) {
      // A parameter that is ignored finds everything, so it says nothing about lists.
      if (!(await isObeyed())) continue
      const { resources, isWhole } = await walkPages(examined.probe, params)
      const found = new Set(resources.map(({ id }) => id))
      const missing = wanted.find(({ id }) => !found.has(id))
      if (missing === undefined) seen.push(true)
      else if (isWhole && (await isUnchanged(examined, missing))) seen.push(false)
    }
    if (seen.length === 0) return []
    return [seen.includes(false) ? NOT_OR : OR]
  },
}

interface ListSearch {
  readonly params: Readonly<Record<string, string>>
  /** What has to come. */
  readonly wanted: readonly Askable[]
  /** Whether the search for the first of the values alone does not find what only the second should. */
  isObeyed(): Promise<boolean>
}

function listsOf(examined: ExaminedType): readonly ListSearch[] {
  return [idList(examined), patientList(examined)].flatMap((list) => list ?? [])
}

function idList(examined: ExaminedType): ListSearch | undefined {
  const [one, ...others] = askable(examined)
  const other = others.find(({ id }) => id !== one?.id)
  if (one === undefined || other === undefined) return undefined
  return listSearch(examined, '_id', [one.id, other.id], [one, other])
}

/** Two resources, each of one patient and not of the other's, by the same path. */
function patientList(examined: ExaminedType): ListSearch | undefined {
  const { type, version } = examined.served
  const compartment = compartmentOf(version)
  const paths = compartment.paths(type)
  const members = askable(examined).flatMap((resource) => {
    const [only, ...others] = compartment.memberships(resource, examined.base)
    return only?.isPlain === true && others.length === 0 ? [{ ...only, resource }] : []
  })
  const [one] = members
  const other = members.find(({ patient, path }) => patient !== one?.patient && path === one?.path)
  const parameter = paths[one?.path ?? 0]?.parameter
  if (one === undefined || other === undefined || parameter === undefined) return undefined
  const values = [`Patient/${one.patient}`, `Patient/${other.patient}`] as const
  return listSearch(examined, parameter, values, [one.resource, other.resource])
}

function listSearch(
  { probe }: ExaminedType,
  parameter: string,
  values: readonly [string, string],
  wanted: readonly [Askable, Askable],
): ListSearch {
  return {
    params: { [parameter]: values.join(',') },
    wanted,
    async isObeyed() {
      const { resources } = await walkPages(probe, { [parameter]: values[0] })
      const ids = resources.map(({ id }) => id)
      return ids.includes(wanted[0].id) && !ids.includes(wanted[1].id)
    },
  }
}

const OR: Remark = { level: 'ok', what: 'Values with commas between them find what any of them finds.' }

const NOT_OR: Remark = {
  level: 'warning',
  what: 'Values with commas between them do not find what each of them finds.',
  cost: 'Exports with a _typeFilter such as status=final,amended lack resources, and patients of a group are searched for one by one.',
  remedy: 'Split arguments at commas (not those after a backslash), and find what any of the values finds.',
}
