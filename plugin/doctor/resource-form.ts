import { lastUpdated } from '../fhir/window.js'
import type { TypeCheck } from './examined-type.js'
import type { Remark } from './finding.js'

/** A clock may be ahead by that much, in ms. */
const AHEAD = 60_000

/** Whether what comes is what was asked for, and carries what exports go by. */
export const resourceForm: TypeCheck = {
  name: 'resources',
  failure: { level: 'error', search: 'A search', cost: 'An export of the type fails.' },
  async run({ sample, served }) {
    const soon = Date.now() + AHEAD
    const own = sample.filter(({ resourceType }) => resourceType === served.type)
    const remarks = [
      found(sample.length - own.length, sample, OTHER_TYPE),
      found(own.filter(({ id }) => typeof id !== 'string').length, sample, WITHOUT_ID),
      found(own.filter((resource) => lastUpdated(resource) === undefined).length, sample, WITHOUT_TIME),
      found(own.filter((resource) => (lastUpdated(resource)?.getTime() ?? 0) > soon).length, sample, FUTURE),
    ].flat()
    const good: Remark = { level: 'ok', what: 'Resources have the right type, an id and a time.' }
    return remarks.length > 0 ? remarks : [good]
  },
}

function found(count: number, { length }: readonly unknown[], remark: Remark): readonly Remark[] {
  return count === 0 ? [] : [{ ...remark, detail: `${count} of ${length}` }]
}

const OTHER_TYPE: Remark = {
  level: 'error',
  what: 'Resources of another type come.',
  cost: 'They are read and left out; if they stand in the place of others, those are missing.',
  remedy: 'Return only resources of the type; included ones with search.mode "include".',
}

const WITHOUT_ID: Remark = {
  level: 'warning',
  what: 'Resources have no id.',
  cost: 'Clients cannot tell them apart, and neither can an export: nothing notices one that comes twice.',
  remedy: 'Let the service set id on each.',
}

const WITHOUT_TIME: Remark = {
  level: 'warning',
  what: 'Resources have no meta.lastUpdated, or none that is a FHIR instant.',
  cost: 'They are in every export, whatever its _since and _until.',
  remedy: 'Stamp each write, and once all that is there, with the time.',
}

const FUTURE: Remark = {
  level: 'warning',
  what: 'Resources were last updated in the future.',
  cost: 'They are left out of exports until then.',
  remedy: 'Set the clock of whatever writes them, and correct their meta.lastUpdated.',
}
