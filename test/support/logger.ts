import { Writable } from 'node:stream'
import { createLogger, type Logger, transports } from 'winston'

/** One log call: `message` is the event, the other fields are its data as the caller gave them. */
export interface LogRecord {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

/** A logger of all levels that prints nothing and keeps what it was given, for assertions. */
export function createTestLogger(): { readonly logger: Logger; readonly records: readonly LogRecord[] } {
  const records: LogRecord[] = []
  const stream = new Writable({ objectMode: true, write: (_line, _encoding, done) => done() })
  const transport = new transports.Stream({ stream })
  transport.log = (record: LogRecord, next: () => void) => {
    records.push({ ...record })
    next()
  }
  return { logger: createLogger({ level: 'silly', transports: [transport] }), records }
}
