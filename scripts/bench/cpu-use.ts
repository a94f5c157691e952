/** CPU time, user and system, in seconds. */
export interface CpuUse {
  readonly workers: number
  readonly mongod: number
  readonly api: number
}

/** What was used between two readings. */
export function cpuBetween(before: CpuUse, after: CpuUse): CpuUse {
  return {
    workers: after.workers - before.workers,
    mongod: after.mongod - before.mongod,
    api: after.api - before.api,
  }
}

export function cpuTotal({ workers, mongod, api }: CpuUse): number {
  return workers + mongod + api
}

/** The parts of the whole, which add up to 1; all NaN when nothing was used. */
export function cpuShares(use: CpuUse): CpuUse {
  const total = cpuTotal(use)
  const shareOf = (seconds: number) => (total === 0 ? Number.NaN : seconds / total)
  return { workers: shareOf(use.workers), mongod: shareOf(use.mongod), api: shareOf(use.api) }
}
