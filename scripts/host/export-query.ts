import { collectionName } from './collection.js'
import { VERSION } from './core.js'
import type { Filter } from './element-filter.js'
import { searchFilter } from './search-filter.js'
import { baseUrl, type SearchRequest, sentParameters } from './search-page.js'

type Args = Readonly<Record<string, unknown>>

/** What the export plugin may read instead of asking for page after page. */
export interface ExportQuery {
  readonly collection: string
  readonly filter: Filter
}

/**
 * The query of a search for a type, as its service builds it.
 *
 * @param version default: the one that the example host speaks
 */
export function searchQuery(
  type: string,
  args: Args,
  req: SearchRequest,
  version: string = VERSION,
): ExportQuery {
  const base = baseUrl(req, version)
  const filter = searchFilter(type, withDropped(args, sentParameters(req)), {
    ...(base === undefined ? {} : { base }),
    version,
  })
  return { collection: collectionName(type, version), filter }
}

/**
 * The arguments and those parameters that the core has dropped: of `name:exact=A&name:contains=b` it passes
 * only the first on, which would make the answer wider than asked for.
 */
function withDropped(args: Args, parameters: Args): Args {
  const names = new Set(Object.keys(args).map(nameOf))
  const dropped = Object.entries(parameters).filter(([key]) => !(key in args) && names.has(nameOf(key)))
  return { ...Object.fromEntries(dropped), ...args }
}

function nameOf(key: string): string {
  return key.split(':', 1)[0] as string
}
