import type { EngineOptions } from '../../plugin/jobs/engine-options.js'
import { hostSearch } from '../../plugin/search/host-search.js'

const MINUTE = 60_000

/** What engines of tests have in common: one worker, and limits that no test reaches by itself. */
export const ENGINE_OPTIONS = {
  ...{ workers: 1, pageSize: 10, maxPageBytes: 1_000_000, searchConcurrency: 4, lease: 3000, writeGrace: 0 },
  limits: { resources: 100_000, bytes: 1_000_000 },
  ...{ retention: MINUTE, maxRunningExports: 100, maxRunningExportsPerClient: 10, compressFiles: false },
  ...{ hashFiles: false, manifestFile: false },
  ...{ stallTimeout: MINUTE, withoutWorkers: 'wait' },
} as const satisfies Partial<EngineOptions>

/** A host whose patients a function gives. */
export function searchOfPatients(search: () => Promise<readonly object[]>) {
  return hostSearch({ profiles: { Patient: { service: { search }, versions: ['4_0_0'] } } })
}
