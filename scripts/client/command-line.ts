import { Command, Option } from 'commander'
import type { TextStream } from './display.js'

/** What a command line comes to: flags that are still to be checked, or the end. */
export type CommandLine =
  | { readonly kind: 'flags'; readonly flags: unknown }
  | { readonly kind: 'end'; readonly isGood: boolean }

const EXAMPLES = `
Examples:
  # everything of a server, into a new folder
  fhir-bulk-export --url https://fhir.example.org/4_0_0 --out ./export

  # the patients of a group, two types, what was changed since
  fhir-bulk-export --url https://fhir.example.org/4_0_0 --group diabetics \\
    --type Patient,Observation --since 2026-01-31T00:00:00Z --out ./diabetics

  # every night what is new since the last night, signed in as a backend service
  fhir-bulk-export --url https://fhir.example.org/4_0_0 --client-id nightly \\
    --private-key ./key.pem --since-last --delete --out ./nightly

Folder:
  Patient-1.ndjson …   output files, under the names that the server gives them
  deleted/, error/     what was deleted since, what the server could not export
  manifest.json        the manifest; it comes last: a folder that has it is complete
  NAME.part            a file that is not whole yet; --resume goes on with it
  NAME.rejected        a file that is not what the manifest promises
  With --since-last each run has a folder of its own, named by the time, beside
  bulk-export-state.json, which has the times of the last complete runs.

Exit codes:
  0    complete: all files loaded and checked
  1    a fault of this program
  2    the command line, the key file or the folder is wrong; nothing was asked for
  3    the server refused the kick-off
  4    the export failed on the server, or is not there any more
  5    a file could not be loaded or stored, or is not what the manifest promises
  6    --timeout is over
  7    complete, but the server tells of errors in its error files; --accept-errors: 0
  8    signing in failed
  9    the server was not reached
  130  Ctrl-C; 143 SIGTERM

Environment:
  BULK_EXPORT_TOKEN    an access token; unlike --token, others cannot see it in the list of processes
`

/**
 * Reads the words of a command line. `--help` and words that nobody knows are answered at once.
 *
 * @param words without the program itself
 */
export function readCommandLine(
  words: readonly string[],
  { stdout, stderr }: { readonly stdout: TextStream; readonly stderr: TextStream },
): CommandLine {
  let isGood = true
  let hasEnded = false
  const output = {
    writeOut: (text: string) => stdout.write(text),
    writeErr: (text: string) => stderr.write(text),
  }
  const command = describe(stdout.columns)
    .configureOutput(output)
    .exitOverride(({ exitCode }) => {
      hasEnded = true
      isGood = exitCode === 0
      throw new Ended()
    })
  try {
    command.parse(words, { from: 'user' })
  } catch (error) {
    if (!(error instanceof Ended)) throw error
  }
  return hasEnded ? { kind: 'end', isGood } : { kind: 'flags', flags: command.opts() }
}

class Ended extends Error {}

function describe(columns = 100): Command {
  const list = (value: string, before: readonly string[] = []) => [...before, value]
  const several = (flags: string, text: string) => new Option(flags, text).argParser(list)
  return new Command('fhir-bulk-export')
    .description('Export data of a FHIR server in bulk: kick off, wait, download, check.')
    .usage('--url BASE --out DIR [options]')
    .configureHelp({ helpWidth: Math.min(columns, 100) })
    .showHelpAfterError('Say --help for all options.')
    .optionsGroup('What to export:')
    .requiredOption('-u, --url <base>', 'FHIR base URL')
    .option('-l, --level <level>', 'system (default), patient, or group')
    .option('-g, --group <id>', 'the patients of this Group')
    .addOption(several('-t, --type <types>', 'resource types, comma-separated or repeated'))
    .option('-s, --since <instant>', 'only what was changed after this time')
    .option('--until <instant>', 'only what was changed before this time')
    .addOption(several('--type-filter <query>', "a search such as 'Observation?status=final'; repeatable"))
    .addOption(several('--elements <elements>', 'only these elements, comma-separated or repeated'))
    .addOption(several('--patient <id>', 'only this patient; repeatable; by POST'))
    .addOption(several('--include-associated-data <set>', 'such as LatestProvenanceResources'))
    .option('--output-format <format>', 'of the files; files that are no NDJSON are less closely checked')
    .addOption(several('--param <name=value>', 'any other kick-off parameter; repeatable'))
    .option('--lenient', 'let the server leave out what it does not know (Prefer: handling=lenient)')
    .option('--prefer <preference>', 'handling=lenient: the same')
    .option('--post', 'kick off by POST, also where GET would do')
    .addOption(several('-H, --header <header>', "'NAME: VALUE', for each request to the server; repeatable"))
    .optionsGroup('Where to, and how:')
    .requiredOption('-o, --out <dir>', 'folder for the files; a new or empty one')
    .option('--since-last', 'only what is new since the last complete run with the same options')
    .option('--resume <status-url>', 'go on with an export that was kicked off before')
    .option('--accept-errors', 'errors of single resources on the server do not matter')
    .option('--delete', 'delete the export on the server when all is loaded and checked')
    .option('--cancel-on-exit', 'cancel the export on the server on Ctrl-C, SIGTERM and --timeout')
    .option('-p, --parallel <number>', 'files that are loaded at the same time, 1 to 32', '4')
    .option(
      '--verify <level>',
      'lines: each line is a resource of its type; count: only count; hash',
      'lines',
    )
    .option('--retries <number>', 'how often in a row is tried again what failed on the way', '10')
    .option('--timeout <time>', 'for the whole run, such as 90s, 30m, 2h; default: none')
    .optionsGroup('Signing in:')
    .option('--token <token>', 'access token; better in BULK_EXPORT_TOKEN')
    .option('--client-id <id>', 'sign in as a SMART backend service (private_key_jwt)')
    .option('--private-key <file>', 'its key: PEM, JWK or JWKS; RSA (RS384) or EC P-384 (ES384)')
    .option('--key-id <kid>', 'name of the key, where the file does not say, or has several')
    .option('--token-url <url>', 'token endpoint; default: by .well-known/smart-configuration')
    .option('--scope <scopes>', 'default: system/*.rs where the server knows it, else system/*.read')
    .option('--allow-other-origin', 'send token and headers also to other origins that the server names')
    .optionsGroup('Output:')
    .option('-q, --quiet', 'say nothing but errors')
    .option('--json', 'one JSON summary on standard output at the end; the rest on standard error')
    .helpOption('-h, --help', 'this text')
    .addHelpText('after', EXAMPLES)
}
