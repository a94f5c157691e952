import { describeError } from '../errors.js'
import type { ExaminedHost } from './examined-host.js'
import type { Remark } from './finding.js'

/** A check that could not be made says nothing good about what it was to look at. */
export function unseen(error: unknown, { logger }: Pick<ExaminedHost, 'logger'>, check: string): Remark {
  logger.warn('doctor.check-failed', { check, error: describeError(error) })
  return {
    level: 'error',
    what: 'This could not be looked at.',
    cost: 'Whether it is as it should be is not known; what failed here may fail in exports too.',
    remedy: 'The log has the reason (doctor.check-failed), such as a right that is missing.',
  }
}
