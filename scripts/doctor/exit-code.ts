import type { Diagnosis } from '../../plugin/index.js'

/** How the doctor ends, for pipelines. */
export const EXIT_CODES = { good: 0, warning: 1, error: 2, notLooked: 3 } as const

/** In the words of the help. */
export const EXIT_CODES_TEXT = [
  'Exit codes:',
  '  0  no error was found; with --strict, no warning either',
  '  1  with --strict: warnings, but no error',
  '  2  errors were found',
  '  3  the doctor could not look: wrong options or settings',
].join('\n')

/** @param strict whether warnings count */
export function exitCodeOf({ level }: Pick<Diagnosis, 'level'>, strict: boolean): number {
  if (level === 'error') return EXIT_CODES.error
  return level === 'warning' && strict ? EXIT_CODES.warning : EXIT_CODES.good
}
