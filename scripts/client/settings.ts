import { z } from 'zod'
import { ExportFailure } from './failure.js'
import { CHECK_LEVELS } from './file-check.js'
import type { Level, Parameters } from './kick-off.js'

const LEVELS = ['system', 'patient', 'group'] as const
const RANGES = { parallel: { from: 1, to: 32 }, retries: { from: 0, to: 100 } }
const UNITS: Readonly<Record<string, number>> = { '': 1000, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Longer timers end at once in Node. */
const LONGEST = 2 ** 31 - 1

const webUrl = z
  .url({ protocol: /^https?$/, error: 'must be an absolute http or https URL' })
  .refine(
    (text) => !URL.canParse(text) || new URL(text).username === '',
    'must not have a user name or password; use --header',
  )
const instant = z.iso.datetime({
  offset: true,
  error: 'must be an instant with seconds and a time zone, such as 2026-01-31T00:00:00Z',
})

function wholeNumber({ from, to }: { readonly from: number; readonly to: number }) {
  const error = `must be a whole number from ${from} to ${to}`
  return z.coerce.number({ error }).int({ error }).min(from, { error }).max(to, { error })
}

const flagsSchema = z.object({
  url: webUrl.refine((text) => !/[?#]/.test(text), 'must have no query: it is the base URL'),
  level: z.enum(LEVELS, { error: `must be one of ${LEVELS.join(', ')}` }).optional(),
  group: z.string().min(1).optional(),
  type: z.array(z.string()).default([]),
  since: instant.optional(),
  until: instant.optional(),
  typeFilter: z.array(z.string()).default([]),
  elements: z.array(z.string()).default([]),
  patient: z.array(z.string().min(1)).default([]),
  includeAssociatedData: z.array(z.string()).default([]),
  outputFormat: z.string().optional(),
  param: z.array(z.string().regex(/^[^=]+=/, 'must be NAME=VALUE')).default([]),
  prefer: z.literal('handling=lenient', { error: 'must be handling=lenient' }).optional(),
  lenient: z.boolean().default(false),
  post: z.boolean().default(false),
  header: z
    .array(z.string().regex(/^[\w!#$%&'*+.^`|~-]+:[\t\x20-\x7e]*$/, "must be 'NAME: VALUE'"))
    .default([]),
  out: z.string().min(1),
  parallel: wholeNumber(RANGES.parallel),
  verify: z.enum(CHECK_LEVELS, { error: `must be one of ${CHECK_LEVELS.join(', ')}` }),
  retries: wholeNumber(RANGES.retries),
  timeout: z
    .string()
    .regex(/^\d+[smhd]?$/, 'must be a number of seconds, or such as 90s, 30m, 2h, 1d')
    .transform((text) => Number.parseInt(text, 10) * (UNITS[text.replace(/\d/g, '')] as number))
    .refine((ms) => ms > 0 && ms <= LONGEST, 'must be more than nothing and at most 24d')
    .optional(),
  resume: webUrl.optional(),
  sinceLast: z.boolean().default(false),
  acceptErrors: z.boolean().default(false),
  delete: z.boolean().default(false),
  cancelOnExit: z.boolean().default(false),
  allowOtherOrigin: z.boolean().default(false),
  token: z.string().min(1).optional(),
  clientId: z.string().min(1).optional(),
  privateKey: z.string().min(1).optional(),
  keyId: z.string().min(1).optional(),
  tokenUrl: webUrl.optional(),
  scope: z.string().min(1).optional(),
  quiet: z.boolean().default(false),
  json: z.boolean().default(false),
})

type Flags = z.output<typeof flagsSchema>

/** What the client is told to do, checked. */
export interface ExportSettings
  extends Pick<
    Flags,
    | 'parallel'
    | 'retries'
    | 'verify'
    | 'resume'
    | 'sinceLast'
    | 'acceptErrors'
    | 'delete'
    | 'cancelOnExit'
    | 'allowOtherOrigin'
    | 'quiet'
    | 'json'
    | 'post'
    | 'lenient'
  > {
  /** The FHIR base URL, without a slash at the end. */
  readonly base: string
  readonly level: Level
  readonly parameters: Parameters
  readonly headers: Readonly<Record<string, string>>
  readonly directory: string
  /** In ms; absent: no limit. */
  readonly timeout?: number | undefined
  readonly signIn: SignIn
}

/** How the client gets a token. */
export type SignIn =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  | {
      readonly kind: 'backend'
      readonly clientId: string
      readonly keyFile: string
      readonly keyId?: string | undefined
      readonly tokenUrl?: string | undefined
      readonly scope?: string | undefined
    }

/**
 * Checks what the command line says.
 *
 * @param token the one of the environment, for when the command line names no other way to sign in
 * @throws ExportFailure `usage` that names each wrong option
 */
export function readSettings(raw: unknown, token: string | undefined): ExportSettings {
  const parsed = flagsSchema.safeParse(raw)
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => `${optionName(path)} ${message}`)
    throw usage(`${wrong.join('; ')}.`)
  }
  const flags = parsed.data
  const parameters = parametersOf(flags)
  if (flags.sinceLast && parameters.some(([name]) => name === '_since')) {
    throw usage('--since-last and --since exclude each other.')
  }
  return {
    ...{ ...flags, parameters },
    base: flags.url.replace(/\/+$/, ''),
    level: levelOf(flags),
    headers: Object.fromEntries(flags.header.map(splitAt(':'))),
    lenient: flags.lenient || flags.prefer !== undefined,
    directory: flags.out,
    // Only NDJSON has lines to look at.
    verify: /^$|ndjson/i.test(flags.outputFormat ?? '') ? flags.verify : 'hash',
    signIn: signInOf(flags, token),
  }
}

function levelOf({ level, group, patient }: Flags): Level {
  if (level === 'group' && group === undefined) throw usage('--level group needs --group ID.')
  if (level !== undefined && level !== 'group' && group !== undefined) {
    throw usage(`--group ID and --level ${level} exclude each other.`)
  }
  if (group !== undefined) return { group }
  if (level === 'system' && patient.length > 0) throw usage('--patient is for the levels patient and group.')
  return level === 'patient' || patient.length > 0 ? 'patient' : 'system'
}

function parametersOf(flags: Flags): Parameters {
  const patients = flags.patient.map((id) => (id.includes('/') ? id : `Patient/${id}`))
  const several: readonly (readonly [string, readonly string[]])[] = [
    ['_type', joined(flags.type)],
    ['_since', flags.since === undefined ? [] : [flags.since]],
    ['_until', flags.until === undefined ? [] : [flags.until]],
    ['_typeFilter', flags.typeFilter],
    ['_elements', joined(flags.elements)],
    ['includeAssociatedData', joined(flags.includeAssociatedData)],
    ['_outputFormat', flags.outputFormat === undefined ? [] : [flags.outputFormat]],
    ['patient', patients],
  ]
  return [
    ...several.flatMap(([name, values]) => values.map((value) => [name, value] as const)),
    ...flags.param.map(splitAt('=')),
  ]
}

function joined(values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [values.join(',')]
}

function splitAt(mark: string) {
  return (text: string): readonly [string, string] => {
    const at = text.indexOf(mark)
    return [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  }
}

function signInOf(flags: Flags, environment: string | undefined): SignIn {
  const { clientId, privateKey: keyFile, keyId, tokenUrl, scope, token } = flags
  const isBackend = [clientId, keyFile, keyId, tokenUrl, scope].some((each) => each !== undefined)
  if (isBackend && token !== undefined) throw usage('--token and --client-id exclude each other.')
  if (isBackend) {
    if (clientId === undefined || keyFile === undefined) {
      throw usage('Signing in needs both --client-id ID and --private-key FILE.')
    }
    return { kind: 'backend', clientId, keyFile, keyId, tokenUrl, scope }
  }
  const fixed = token ?? environment
  // A line end, from a file that it was read from, would fail as a header.
  return fixed === undefined ? { kind: 'none' } : { kind: 'token', token: fixed.trim() }
}

function optionName(path: readonly PropertyKey[]): string {
  return `--${String(path[0]).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

function usage(message: string): ExportFailure {
  return new ExportFailure('usage', message)
}
