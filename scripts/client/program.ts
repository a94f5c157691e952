import { barDisplay } from './bars.js'
import { readCommandLine } from './command-line.js'
import { type Display, lineDisplay, QUIET, type TextStream } from './display.js'
import { asFailure, EXIT_CODES, ExportFailure, messageOf } from './failure.js'
import { cancelExport, runExport } from './run-export.js'
import { type ExportSettings, readSettings } from './settings.js'
import { failureJson, summaryJson, summaryText } from './summary.js'

/** What the program needs of its process. */
export interface ProgramEnvironment {
  /** The words after the program's name. */
  readonly words: readonly string[]
  /** An access token, when the environment has one. */
  readonly token: string | undefined
  readonly stdout: TextStream
  readonly stderr: TextStream
  /** Is called once, with a function that ends the run as Ctrl-C or SIGTERM does. */
  onSignals(end: (ending: 'interrupted' | 'terminated') => void): void
}

/** Runs the export client. @returns the exit code; never rejects */
export async function exportProgram(environment: ProgramEnvironment): Promise<number> {
  const commandLine = readCommandLine(environment.words, environment)
  if (commandLine.kind === 'end') return commandLine.isGood ? EXIT_CODES.complete : EXIT_CODES.usage
  let settings: ExportSettings
  try {
    settings = readSettings(commandLine.flags, environment.token)
  } catch (error) {
    environment.stderr.write(`error: ${messageOf(error)} Say --help for all options.\n`)
    return EXIT_CODES.usage
  }
  return runWith(settings, environment)
}

async function runWith(
  settings: ExportSettings,
  { stdout, stderr, onSignals }: ProgramEnvironment,
): Promise<number> {
  const started = performance.now()
  const end = new AbortController()
  onSignals((ending) => end.abort(new ExportFailure(ending, 'Ended before all was loaded.')))
  const timer = limit(settings, end)
  const display = displayOf(settings, settings.json ? stderr : stdout)
  let statusUrl = settings.resume
  try {
    const result = await runExport(settings, {
      ...{ display, signal: end.signal },
      onAccepted(url) {
        if (statusUrl === undefined) display.note(`the export is at ${url}`)
        statusUrl = url
      },
    })
    display.stop()
    const ms = performance.now() - started
    if (settings.json) stdout.write(`${summaryJson(result, ms)}\n`)
    else if (!settings.quiet) stdout.write(`\n${summaryText(result, ms)}\n`)
    else if (result.ending === 'withErrors') stderr.write('The server tells of errors, see error/.\n')
    return EXIT_CODES[result.ending]
  } catch (error) {
    display.stop()
    const failure = end.signal.aborted ? end.signal.reason : asFailure('unexpected', error)
    stderr.write(`error: ${failure.message}\n`)
    if (statusUrl !== undefined) stderr.write(await whatIsLeft(settings, failure, statusUrl))
    if (settings.json) stdout.write(`${failureJson(failure, statusUrl)}\n`)
    return EXIT_CODES[(failure as ExportFailure).ending]
  } finally {
    clearTimeout(timer)
  }
}

/** What becomes of an export that was accepted, and how to go on with it. */
async function whatIsLeft(
  settings: ExportSettings,
  { ending }: ExportFailure,
  statusUrl: string,
): Promise<string> {
  if (ending === 'failed' || ending === 'usage') return ''
  if (settings.cancelOnExit && ['interrupted', 'terminated', 'timedOut'].includes(ending)) {
    try {
      await cancelExport(settings, statusUrl)
      return 'The export was cancelled on the server.\n'
    } catch (error) {
      return `The export could not be cancelled: ${messageOf(error)}\nIt is at ${statusUrl}\n`
    }
  }
  return `The export is still on the server. Go on with the same options and --resume ${statusUrl}\n`
}

function limit({ timeout }: ExportSettings, end: AbortController): NodeJS.Timeout | undefined {
  if (timeout === undefined) return undefined
  return setTimeout(() => {
    end.abort(new ExportFailure('timedOut', `The export took longer than ${timeout / 1000} s (--timeout).`))
  }, timeout)
}

function displayOf({ quiet }: ExportSettings, stream: TextStream): Display {
  if (quiet) return QUIET
  return stream.isTTY ? barDisplay(stream) : lineDisplay(stream)
}
