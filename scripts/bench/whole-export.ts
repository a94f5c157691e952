import type { Level } from '../client/bulk-client.js'
import type { Finished, Site } from './site.js'

/** What is exported, and how much that has to be. */
export interface ExportPlan {
  readonly level?: Level
  readonly parameters?: Readonly<Record<string, string>>
  readonly expected: number
}

/**
 * Runs an export that has to give everything, and deletes it.
 *
 * @param look at it before that
 * @throws Error when it has too few resources, too many, or errors
 */
export async function wholeExport(
  site: Site,
  { level = 'system', parameters = {}, expected }: ExportPlan,
  look: (finished: Finished) => Promise<void> = async () => {},
): Promise<Finished> {
  const finished = await site.export(level, parameters)
  const { manifest, resources, statusUrl } = finished
  if (resources !== expected) throw new Error(`${resources} of ${expected} resources were exported.`)
  if (manifest.error.length > 0) throw new Error(`The export has ${manifest.error.length} error files.`)
  await look(finished)
  await site.client.remove(statusUrl)
  return finished
}
