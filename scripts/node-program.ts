import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `.ts`, or `.js` when the project was built: programs start others of their own kind. */
const KIND = extname(fileURLToPath(import.meta.url))

/**
 * Flags for Node, as `npm start` and `npm run worker` have them. The heap has a limit because otherwise a machine with
 * much memory makes Node collect garbage late.
 */
export const NODE_FLAGS: readonly string[] = [
  '--max-old-space-size=512',
  ...(KIND === '.ts' ? ['--import', 'tsx'] : []),
]

/**
 * The path of a program of this project.
 *
 * @param name its path without the extension, relative to a module
 * @param module the URL of that module
 */
export function programFile(name: string, module: string): string {
  return fileURLToPath(new URL(`${name}${KIND}`, module))
}
