import { hostTypes } from './core.js'
import { elementWith, type Filter } from './element-filter.js'
import { invalid } from './refusal.js'
import { unescaped } from './search-argument.js'
import type { Target } from './search-target.js'

export interface ReferenceSearch {
  readonly parameter: string
  /** The `[type]` of `subject:[type]=id`. */
  readonly type?: string
  /** The FHIR base URL of this host, if known: references that are written out with it are its own. */
  readonly base?: string
  /** The FHIR version of the resources; default: the one that the example host speaks. */
  readonly version?: string
}

const LOCAL = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9.-]{1,64})(\/_history\/[A-Za-z0-9.-]{1,64})?$/
const ID = /^[A-Za-z0-9.-]{1,64}$/
/** For so many references, each in one of its forms, those to a version of it are found too. */
export const MOST_RANGES = 20

/**
 * What a reference parameter matches in one element: `id`, `Type/id`, an absolute URL or a URN. All values
 * become one `$in`, as clients ask for many patients at once. A reference to one version of a resource is
 * found by the resource too, unless so many are asked for that a range of the index for each would be too much.
 */
export function matchReference(
  { steps, kind }: Target,
  values: readonly string[],
  search: ReferenceSearch,
): Filter {
  const texts = values.map(unescaped)
  if (kind !== 'Reference') return elementWith(steps, { '': { $in: texts.flatMap(canonicalForms) } })
  const plain = texts.flatMap((text) => referenceForms(text, search))
  const isFew = plain.length <= MOST_RANGES
  const forms = plain.flatMap((form) =>
    isFew && isUnversioned(form) ? [form, startingWith(`${form}/_history/`)] : [form],
  )
  return elementWith(steps, { reference: forms.length === 1 ? forms[0] : { $in: forms } })
}

/** A canonical URL is also found where its version is named. */
function canonicalForms(url: string): (string | RegExp)[] {
  return url.includes('|') ? [url] : [url, startingWith(`${url}|`)]
}

/** `Type/id`, alone or at the end of a URL. */
function isUnversioned(form: string): boolean {
  return /(^|\/)[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/.test(form) && !form.includes('/_history/')
}

function referenceForms(text: string, search: ReferenceSearch): string[] {
  const { base } = search
  const local = base !== undefined && text.startsWith(`${base}/`) ? text.slice(base.length + 1) : text
  return localForms(local, search).flatMap((reference) =>
    base === undefined || !LOCAL.test(reference) ? [reference] : [reference, `${base}/${reference}`],
  )
}

function localForms(text: string, { parameter, type, version }: ReferenceSearch): string[] {
  const named = LOCAL.exec(text)?.[1]
  // By definition: every parameter `patient` takes patients only, whatever else its element may hold.
  const only = type ?? (parameter === 'patient' ? 'Patient' : undefined)
  if (named !== undefined) {
    if (only === undefined || named === only) return [text]
    throw invalid(`"${text}" is not a ${only}, which ${parameter} is asked for.`)
  }
  if (ID.test(text))
    return (only === undefined ? hostTypes(version) : [only]).map((each) => `${each}/${text}`)
  if (/^[a-z][a-z0-9+.-]*:/.test(text) && type === undefined) return [text]
  throw invalid(`"${text}" is not a reference; expected id, Type/id or a URL.`)
}

function startingWith(text: string): RegExp {
  return new RegExp(`^${text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}`)
}
