import { access } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** What may be the browser's name. */
const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome']
/** No sandbox, since tests may run as root in a container; nothing that calls home. */
const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
]

/**
 * Starts a real browser: that of `CHROMIUM_PATH`, or Chromium of the PATH. Whoever does so closes it.
 *
 * @throws Error naming both ways when there is none
 */
export async function openBrowser(): Promise<Browser> {
  const executablePath = await findBrowser()
  return chromium.launch({ executablePath, args: ARGUMENTS })
}

async function findBrowser(): Promise<string> {
  const { CHROMIUM_PATH, PATH = '' } = process.env
  if (CHROMIUM_PATH) return CHROMIUM_PATH
  for (const folder of PATH.split(delimiter)) {
    for (const program of PROGRAMS) {
      const path = join(folder, program)
      const isThere = await access(path).then(
        () => true,
        () => false,
      )
      if (isThere) return path
    }
  }
  throw new Error(
    'There is no browser. Install Chromium (Debian: apt-get install chromium), or set CHROMIUM_PATH to one.',
  )
}
