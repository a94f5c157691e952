import type { ExportQuery } from './export-query.js'
import { notSupported } from './refusal.js'
import type { HostService, ServiceContext } from './service.js'

type Args = Readonly<Record<string, unknown>>

/** A service with what exports may read instead of asking for page after page. */
export interface ExportedService extends HostService {
  /** The query of `search`, for exports; only where it is offered. */
  exportQuery?(args: Readonly<Record<string, unknown>>, context: ServiceContext): ExportQuery
}

/**
 * One service for several FHIR versions, as the core has one for each type: it asks the service of the version that was
 * called. All of them offer the same.
 *
 * @param services by version as the core writes it; at least one
 */
export function serviceByVersion(services: ReadonlyMap<string, ExportedService>): ExportedService {
  const [first, ...others] = services.values()
  if (first === undefined) throw new Error('A service needs at least one FHIR version.')
  if (others.length === 0) return first
  const of = ({ base_version: version }: Args): ExportedService => {
    const service = services.get(String(version))
    if (service === undefined) throw notSupported(`FHIR version ${version} is not served.`)
    return service
  }
  return {
    commaListSize: first.commaListSize,
    search: async (args, context) => of(args).search(args, context),
    searchById: async (args, context) => of(args).searchById(args, context),
    create: async (args, context) => of(args).create(args, context),
    update: async (args, context) => of(args).update(args, context),
    remove: async (args, context) => of(args).remove(args, context),
    ...(first.searchStream && {
      searchStream: (args: Args, context: ServiceContext) => offered(of(args).searchStream)(args, context),
    }),
    ...(first.exportQuery && {
      exportQuery: (args: Args, context: ServiceContext) => offered(of(args).exportQuery)(args, context),
    }),
  }
}

function offered<Method>(method: Method | undefined): Method {
  if (method === undefined)
    throw new Error('The service of this FHIR version offers less than that of another one.')
  return method
}
