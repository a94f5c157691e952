import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '../../config/settings.js'
import { population } from '../population/index.js'
import { writeFolder } from '../population/ndjson-folder.js'

const PATIENTS = 200

/** The folder with the sample population, which is made once and kept among the downloads. */
export async function sampleFolder(
  { cacheDirectory }: Pick<Settings, 'cacheDirectory'>,
  say: (text: string) => void,
): Promise<string> {
  const directory = join(cacheDirectory, `sample-${PATIENTS}`)
  if (await exists(directory)) return directory
  say(`Generating a sample of ${PATIENTS} patients`)
  const unfinished = `${directory}.${process.pid}`
  await writeFolder(unfinished, population({ patients: PATIENTS }), { gzip: true })
  await rm(directory, { recursive: true, force: true })
  await rename(unfinished, directory)
  return directory
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
