import { randomUUID } from 'node:crypto'
import { askable, isUnchanged, type TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'
import { finds } from './page-walk.js'

/** Groups and patients are found by `_id`, whatever is exported of them. */
const EXPORTED_BY_ID: readonly string[] = ['Patient', 'Group']

/** Whether searches heed `_id`. */
export const searchById: TypeCheck = {
  name: 'id',
  failure: {
    level: 'error',
    search: 'A search by _id',
    cost: 'Exports fail that look up single resources: of groups, of deleted resources, of Provenance.',
  },
  async run(examined) {
    const { probe, served } = examined
    const [resource] = askable(examined)
    if (resource === undefined) return []
    const isNeeded = EXPORTED_BY_ID.includes(served.type)
    const { resources } = await probe.search({ params: { _id: randomUUID() }, count: probe.count })
    if (resources.length > 0) return [isNeeded ? { ...IGNORED, level: 'warning' } : IGNORED]
    if ((await finds(probe, { _id: resource.id }, resource.id)) !== false) return [OBEYED]
    if (!(await isUnchanged(examined, resource))) return []
    return [isNeeded ? { ...LOST, level: 'error' } : LOST]
  },
}

const OBEYED: Remark = { level: 'ok', what: '_id is obeyed.' }

const IGNORED = {
  level: 'notice',
  what: '_id is ignored.',
  cost: 'Whoever looks up one resource reads the whole type: each patient of a group, what was deleted, Provenance.',
  remedy: 'Turn the argument _id into a query on the id.',
} as const satisfies Remark

const LOST = {
  level: 'warning',
  what: 'A search by _id does not find a resource that is there.',
  cost: 'Exports of groups and patients lack it, and lists of deleted resources may name it.',
  remedy: 'Turn the argument _id into a query on the id.',
} as const satisfies Remark
