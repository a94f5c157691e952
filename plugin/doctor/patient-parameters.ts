import { randomUUID } from 'node:crypto'
import { type CompartmentPath, compartmentOf } from '../fhir/patient-compartment.js'
import { askable, type ExaminedType, isDeclared, loses, type TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'

/** Whether searches heed the parameters by which exports find what is in the compartment of a patient. */
export const patientParameters: TypeCheck = {
  name: 'patient-parameters',
  failure: {
    level: 'error',
    search: 'A search by patient',
    cost: 'Exports of groups and of named patients fail.',
  },
  async run(examined) {
    const paths = compartmentOf(examined.served.version).paths(examined.served.type)
    const remarks: Remark[] = []
    const obeyed: string[] = []
    for (const [index, { parameter }] of paths.entries()) {
      const seen = await lookAt(examined, paths, index)
      if (typeof seen === 'string') obeyed.push(`${parameter}${seen}`)
      else remarks.push({ ...seen, detail: parameter })
    }
    if (obeyed.length > 0) remarks.push({ ...OBEYED, detail: obeyed.join(', ') })
    return remarks
  },
}

/** What is wrong with a parameter, or what is to be added to its name where nothing is. */
async function lookAt(
  examined: ExaminedType,
  paths: readonly CompartmentPath[],
  path: number,
): Promise<string | Remark> {
  const { probe, served, base } = examined
  const parameter = paths[path]?.parameter ?? ''
  const nobody = `Patient/${randomUUID()}`
  const { resources } = await probe.search({ params: { [parameter]: nobody }, count: probe.count })
  if (resources.some(({ resourceType }) => resourceType === served.type)) {
    return isDeclared(examined, parameter, nobody) ? IGNORED : UNDECLARED
  }
  const members = askable(examined).flatMap((resource) =>
    compartmentOf(served.version)
      .memberships(resource, base)
      .filter((membership) => membership.path === path)
      .map((membership) => ({ resource, ...membership })),
  )
  for (const isPlain of [true, false]) {
    const member = members.find((each) => each.isPlain === isPlain)
    if (member === undefined) continue
    const params = { [parameter]: `Patient/${member.patient}` }
    if (await loses(examined, params, member.resource)) return isPlain ? LOST : OTHER_FORM
  }
  return members.length > 0 ? '' : ' (not in the sample)'
}

const OBEYED: Remark = { level: 'ok', what: 'Searches by patient find what they should, and nothing else.' }

const IGNORED: Remark = {
  level: 'warning',
  what: 'A search by patient gives resources of others: the parameter is ignored.',
  cost: 'Exports of groups read the whole type once for each patient; what they write is right.',
  remedy: 'Turn the parameter, such as subject=Patient/[id], into a query.',
}

const UNDECLARED: Remark = {
  ...IGNORED,
  what: 'A search parameter by patient does not reach the service: the core does not know it for this profile.',
  remedy: 'Declare it in the metadata of the profile, and turn it into a query.',
}

const LOST: Remark = {
  level: 'error',
  what: 'A search by patient does not find a resource of that patient.',
  cost: 'Exports of groups and of named patients lack it.',
  remedy: 'Turn the parameter with the value Patient/[id] into a query on the reference.',
}

const OTHER_FORM: Remark = {
  level: 'error',
  what: 'A search by patient does not find a reference that is absolute or names a version.',
  cost: 'Exports of groups and of named patients lack the resource.',
  remedy:
    'Let the query find [base]/Patient/[id] and Patient/[id]/_history/[version] too, or keep references as Patient/[id].',
}
