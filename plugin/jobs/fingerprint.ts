import { createHash } from 'node:crypto'
import { versionOf } from '../fhir/base-url.js'
import type { NewExport } from './model.js'

/** What a job has of itself or of its kick-off, and what makes no difference to what is exported. */
const NOT_ASKED_FOR: ReadonlySet<string> = new Set<keyof NewExport>([
  ...(['_id', 'transactionTime', 'requestUrl', 'base', 'caller'] as const),
  ...(['notes', 'separateStatus', 'fingerprint'] as const),
])

/**
 * Two jobs have the same one when the same client asks for the same export. All that a job has when it is accepted
 * counts but for what is left out by name, so that nothing that narrows an export can be forgotten here. Lists are
 * sets in what is asked for: neither their order nor repeated members make a difference. Of the base URL, which may
 * have several names, only the FHIR version counts. Without authorisation clients cannot be told apart, and count
 * as one.
 *
 * @returns 64 hexadecimal digits
 */
export function fingerprintOf(job: NewExport): string {
  const asked = Object.entries(job).filter(([name]) => !NOT_ASKED_FOR.has(name))
  const filters = job.filters?.map(({ type, query }) => ({ type, query: query.split('&') }))
  const text = canonicalText({ ...Object.fromEntries(asked), filters, version: versionOf(job.base) })
  return createHash('sha256').update(text).digest('hex')
}

function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${[...new Set(value.map(canonicalText))].sort()}]`
  if (typeof value !== 'object' || value === null || value instanceof Date) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined)
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalText(member)}`).sort()}}`
}
