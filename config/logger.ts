import { createLogger as createWinstonLogger, format, type Logger, transports } from 'winston'
import type { Settings } from './settings.js'

/** Fields winston adds itself; the rest of an entry is the caller's data. */
type Entry = { readonly level: string; readonly message?: unknown; readonly timestamp?: unknown }

/** An `Error` among the fields would become `{}` in JSON. */
function plainError(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  return { ...error, name, message, stack, ...(cause instanceof Error && { cause: plainError(cause) }) }
}

const jsonLine = format.combine(
  format.timestamp(),
  format.json({ replacer: (_key, value) => (value instanceof Error ? plainError(value) : value) }),
)

function showField(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(`${value.name}: ${value.message}`)
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
  return JSON.stringify(value) ?? 'undefined'
}

const humanLine = format.combine(
  format.timestamp({ format: 'HH:mm:ss.SSS' }),
  format.printf((entry) => {
    const { level, message, timestamp, ...fields } = entry as Entry & Record<string, unknown>
    const shown = Object.entries(fields).map(([name, value]) => `${name}=${showField(value)}`)
    return [timestamp, level.padEnd(5), message, ...shown].join(' ')
  }),
)

/**
 * The logger of the programs: one line an entry, to standard error, so that standard output stays free for what
 * a program has to say. People at a terminal get `time level event field=value`, everything else gets JSON.
 */
export function createLogger(
  settings: Pick<Settings, 'logLevel'>,
  stream: NodeJS.WritableStream & { readonly isTTY?: boolean } = process.stderr,
): Logger {
  return createWinstonLogger({
    level: settings.logLevel,
    format: stream.isTTY ? humanLine : jsonLine,
    transports: [new transports.Stream({ stream })],
  })
}
