import { createLogger } from '../../../config/logger.js'
import { readSettings } from '../../../config/settings.js'
import { type Figure, findings } from '../figure.js'
import { atLeast } from '../headline.js'
import { spreadOf } from '../quantile.js'
import { azureContest } from '../storages/azure.js'
import type { Contest } from '../storages/contest.js'
import { diskContest } from '../storages/disk.js'
import { gcsContest } from '../storages/gcs.js'
import { s3Contest } from '../storages/s3.js'
import { unit } from '../unit.js'

const MEBIBYTE = 1024 * 1024
/** As large as output files are by default. */
const SIZE = 64 * MEBIBYTE
const PIECE = 256 * 1024

export const storagesFigure: Figure = {
  name: 'storages',
  means:
    'writing a file of 64 MiB to each storage, against the plainest way to upload the same bytes; interleaved, on ' +
    'emulators on this machine, whose own work is a part of both',
  async measure(lab) {
    const { cacheDirectory } = readSettings()
    const logger = createLogger({ logLevel: 'warn' })
    const contests: readonly (() => Promise<Contest>)[] = [
      () => diskContest(lab.folder),
      () => s3Contest(cacheDirectory, logger),
      () => azureContest(),
      () => gcsContest(cacheDirectory, logger),
    ]
    const bytes = Math.max(PIECE, lab.scaled(SIZE))
    const rows = []
    for (const open of contests) rows.push(await measure(await open(), bytes, lab.rounds, lab.signal))
    return findings(
      rows.map(({ name, rival, ratio }) => atLeast(`${name} : ${rival}, medians`, ratio, 0.9)),
      rows,
      [
        ['', (row) => row.name],
        ['ours, MiB/s', (row) => unit.count(row.ours)],
        ['plain, MiB/s', (row) => unit.count(row.plain)],
        ['MiB', (row) => unit.count(row.mebibytes)],
      ],
    )
  },
}

async function measure(contest: Contest, bytes: number, rounds: number, signal: AbortSignal) {
  const { name, rival, storage } = contest
  const times = { ours: [] as number[], plain: [] as number[] }
  try {
    // One of each before, since connections and code are cold.
    for (let round = 0; round <= rounds; round++) {
      signal.throwIfAborted()
      const ours = await secondsOf(() => storage.write(`ours-${round}`, source(bytes)))
      const plain = await secondsOf(() => contest.upload(`plain-${round}`, source(bytes)))
      if (round === 0) continue
      times.ours.push(ours)
      times.plain.push(plain)
    }
  } finally {
    await contest.close()
  }
  const [ours, plain] = [spreadOf(times.ours).median, spreadOf(times.plain).median]
  const mebibytes = bytes / MEBIBYTE
  return { name, rival, mebibytes, ratio: plain / ours, ours: mebibytes / ours, plain: mebibytes / plain }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1000
}

/** Pieces as an export makes them. */
async function* source(bytes: number): AsyncGenerator<Uint8Array> {
  for (let left = bytes; left > 0; left -= PIECE) yield Buffer.alloc(Math.min(PIECE, left), left % 251)
}
