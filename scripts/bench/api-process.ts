import type { BulkExportOptions } from '../../plugin/index.js'
import { startProgram } from '../child-program.js'
import { programFile } from '../node-program.js'

const PROGRAM = programFile('api', import.meta.url)

/** How late the event loop of a process was, in ms. */
export interface LoopDelay {
  readonly p99: number
  readonly max: number
}

/** The example host in a process of its own. */
export interface ApiProcess {
  readonly pid: number
  /** The FHIR base URL. */
  readonly base: string
  /** Resolves with how it has ended, in words; never rejects. */
  readonly ended: Promise<string>
  /** Ends it; gives the delay of its event loop while it served. */
  stop(): Promise<LoopDelay>
}

/** @param exportOptions of the plugin, in the place of its defaults; only what can be written as JSON */
export async function startApi(
  environment: Readonly<Record<string, string>>,
  exportOptions: Partial<BulkExportOptions>,
): Promise<ApiProcess> {
  const { pid, ready, ended, stop } = await startProgram({
    name: 'The API process',
    program: PROGRAM,
    arguments: [JSON.stringify(exportOptions)],
    ...{ environment, ready: 'api.ready', stopped: 'api.stopped' },
  })
  return {
    ...{ pid, ended, base: String(ready['base']) },
    async stop() {
      const { delayP99, delayMax } = await stop()
      return { p99: Number(delayP99), max: Number(delayMax) }
    },
  }
}
