import type { Resource } from '../fhir/resource.js'
import { lastUpdated as timeOf } from '../fhir/window.js'
import {
  type Askable,
  askable,
  type ExaminedType,
  isDeclared,
  loses,
  type TypeCheck,
} from './examined-type.js'
import type { Remark } from './finding.js'

/** Outside of these nothing was ever updated; exports ask in this form. */
const NEVER = ['gt2999-01-01T00:00:00.000Z', 'lt1900-01-01T00:00:00.000Z'] as const

/** Whether searches heed `_lastUpdated` as exports with `_since` and `_until` ask for it. */
export const lastUpdated: TypeCheck = {
  name: 'last-updated',
  failure: {
    level: 'error',
    search: 'A search by _lastUpdated',
    cost: 'Exports with _since or _until fail.',
  },
  async run(examined) {
    const timed = askable(examined).filter((resource) => timeOf(resource) !== undefined)
    if (timed.length === 0) return []
    for (const value of NEVER) {
      const { resources } = await examined.probe.search({
        params: { _lastUpdated: value },
        count: examined.probe.count,
      })
      const isIgnored = resources.some((resource) => timeOf(resource) !== undefined)
      if (isIgnored) return [isDeclared(examined, '_lastUpdated', value) ? IGNORED : UNDECLARED]
    }
    return (await losesAny(examined, oneOfEachForm(timed))) ? [TOO_NARROW] : [OBEYED]
  },
}

async function losesAny(examined: ExaminedType, resources: readonly Askable[]): Promise<boolean> {
  for (const resource of resources) {
    const time = timeOf(resource)?.getTime() ?? 0
    for (const value of [`gt${instant(time - 1)}`, `lt${instant(time + 1)}`]) {
      if (await loses(examined, { _lastUpdated: value }, resource)) return true
    }
  }
  return false
}

/** A Date, a text in UTC and one with an offset are compared in different ways. */
function oneOfEachForm<T extends Resource>(resources: readonly T[]): readonly T[] {
  const forms = new Map<string, T>()
  for (const resource of resources) {
    const value = resource.meta?.lastUpdated
    forms.set(value instanceof Date ? 'date' : /z$/i.test(String(value)) ? 'utc' : 'offset', resource)
  }
  return [...forms.values()]
}

function instant(time: number): string {
  return new Date(time).toISOString()
}

const OBEYED: Remark = { level: 'ok', what: '_lastUpdated is obeyed.' }

const IGNORED: Remark = {
  level: 'warning',
  what: '_lastUpdated is ignored.',
  cost: 'An export with _since reads the whole type to write what is new; what it writes is right.',
  remedy:
    'Turn the argument _lastUpdated, such as gt2024-05-01T12:00:00.000Z, into a query on meta.lastUpdated.',
}

const UNDECLARED: Remark = {
  ...IGNORED,
  what: '_lastUpdated does not reach the service: the core does not know it for this profile.',
  remedy: 'Declare it in the metadata of the profile, and turn it into a query on meta.lastUpdated.',
}

const TOO_NARROW: Remark = {
  level: 'error',
  what: 'A search by _lastUpdated leaves out resources that it should find.',
  cost: 'Exports with _since or _until lack them.',
  remedy:
    'Compare times, not their texts: meta.lastUpdated may be a Date or a text with an offset, and the argument is in UTC with milliseconds.',
}
