import { EXPORT_VERSIONS } from '../fhir/fhir-version.js'
import type { ExaminedHost, ExaminedOptions } from './examined-host.js'
import type { HostCheck, PlacedRemark } from './host-check.js'
import { profilesOf } from './profiles.js'

/** A retention that is shorter is over before files are fetched, in ms. */
const SHORT_RETENTION = 10 * 60_000

/** Options that do not go together, and what they leave open. */
export const configuration: HostCheck = {
  name: 'options',
  area: 'configuration',
  async run({ host, instructions }) {
    const remarks = [
      ...urlRemarks(host),
      ...protectionRemarks(host, instructions.nodeEnv),
      ...timeRemarks(host.options),
      ...profileRemarks(host),
    ]
    const isGood = remarks.every(({ level }) => level === 'notice')
    return isGood ? [{ level: 'ok', what: 'The options go together.' }, ...remarks] : remarks
  },
}

function urlRemarks({ options, versions, isProtected }: ExaminedHost): readonly PlacedRemark[] {
  const { baseUrl } = options
  if (baseUrl === undefined) return [NO_BASE_URL]
  const { protocol, hostname, pathname } = new URL(baseUrl)
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
  const remarks: PlacedRemark[] = []
  if (versions.some((version) => pathname.endsWith(`/${version}`))) remarks.push(WITH_VERSION)
  if (protocol === 'http:' && isProtected && !isLocal) remarks.push(IN_THE_CLEAR)
  if (isLocal) remarks.push(LOCAL_BASE_URL)
  return remarks
}

function protectionRemarks(
  { isProtected }: ExaminedHost,
  nodeEnv: string | undefined,
): readonly PlacedRemark[] {
  if (!isProtected) return [UNPROTECTED]
  return nodeEnv === 'test' ? [TEST_ENVIRONMENT] : []
}

function timeRemarks(options: ExaminedOptions): readonly PlacedRemark[] {
  const { writeGrace, retention, lease, searchTimeout, stallTimeout, workers } = options
  const { maxRunningExports, maxRunningExportsPerClient } = options
  return [
    ...(writeGrace === 0 ? [NO_GRACE] : []),
    ...(retention < SHORT_RETENTION ? [{ ...SHORT, detail: `${retention} ms` }] : []),
    ...(searchTimeout >= stallTimeout ? [STALLS_FIRST] : []),
    ...(lease < 5000 ? [{ ...SHORT_LEASE, detail: `${lease} ms` }] : []),
    ...(maxRunningExportsPerClient > maxRunningExports ? [ONE_CLIENT] : []),
    ...(workers === 0 ? [NO_WORKERS] : []),
  ]
}

function profileRemarks(host: ExaminedHost): readonly PlacedRemark[] {
  const { served, unserved } = profilesOf(host, undefined)
  const has = (type: string) => served.some((each) => each.type === type)
  const { levels } = host.options
  return [
    ...unserved.map(({ type, reason }) => ({ ...UNSERVED[reason], type })),
    ...(served.length === 0 ? [NOTHING] : []),
    ...(levels.includes('group') && !has('Group') ? [NO_GROUPS] : []),
    ...(levels.some((level) => level !== 'system') && !has('Patient') ? [NO_PATIENTS] : []),
  ]
}

const NO_BASE_URL: PlacedRemark = {
  level: 'notice',
  what: 'baseUrl is not set: links are made of what each request says.',
  cost: 'Behind a proxy they lead to the wrong place, unless Express trusts it.',
  remedy: 'Set baseUrl, or trust proxy, where a proxy stands in front.',
}

const WITH_VERSION: PlacedRemark = {
  level: 'error',
  what: 'baseUrl ends with a FHIR version.',
  cost: 'All links that clients get have the version twice and lead nowhere.',
  remedy: 'Leave the version out of baseUrl.',
}

const IN_THE_CLEAR: PlacedRemark = {
  level: 'warning',
  what: 'baseUrl begins with http, and clients send tokens.',
  cost: 'Tokens and resources can be read on the way.',
  remedy: 'Serve https, or name the https URL of the proxy in front.',
}

const LOCAL_BASE_URL: PlacedRemark = {
  level: 'notice',
  what: 'baseUrl names this machine only.',
  cost: 'Clients on other machines cannot follow the links that they get.',
  remedy: 'Name the URL under which clients reach the server.',
}

const UNPROTECTED: PlacedRemark = {
  level: 'warning',
  what: 'There is no authorisation: neither config.auth.strategy nor the option authorize.',
  cost: 'Whoever reaches the server may export everything.',
  remedy: 'Set one of them, or keep the server away from the network.',
}

const TEST_ENVIRONMENT: PlacedRemark = {
  level: 'error',
  what: 'NODE_ENV is test.',
  cost: 'The core checks no tokens then: whoever reaches the server reads everything. (Exports are still guarded.)',
  remedy: 'Run the server with NODE_ENV=production.',
}

const NO_GRACE: PlacedRemark = {
  level: 'warning',
  what: 'writeGrace is 0.',
  cost: 'A write that is under way at a kick-off may be in neither this export nor the next one with _since.',
  remedy: 'Leave the default of 500 ms, or make it as long as a write may take.',
}

const SHORT: PlacedRemark = {
  level: 'warning',
  what: 'retention is short.',
  cost: 'Files are removed before clients have fetched them.',
  remedy: 'Make it as long as the slowest client needs; the default is a day.',
}

const STALLS_FIRST: PlacedRemark = {
  level: 'warning',
  what: 'stallTimeout is not longer than searchTimeout.',
  cost: 'A slow search ends its task as stalled before it may take the time that searchTimeout gives it.',
  remedy: 'Make stallTimeout longer, or searchTimeout shorter.',
}

const SHORT_LEASE: PlacedRemark = {
  level: 'warning',
  what: 'lease is short.',
  cost: 'A worker that is busy for a moment loses its task, and the work since its last checkpoint.',
  remedy: 'Leave the default of 30 s, unless the workers have little to do.',
}

const ONE_CLIENT: PlacedRemark = {
  level: 'notice',
  what: 'maxRunningExportsPerClient is larger than maxRunningExports.',
  cost: 'One client can take all places.',
  remedy: 'Make it smaller.',
}

const NO_WORKERS: PlacedRemark = {
  level: 'notice',
  what: 'workers is 0 here: this process only answers requests.',
  cost: 'Exports need another process with workers, with the same database and a storage that both see.',
  remedy: 'None, if there is one.',
}

const NOTHING: PlacedRemark = {
  level: 'error',
  what: 'No profile can be exported.',
  cost: 'Each kick-off is refused.',
  remedy:
    'Give the profiles in config a service with search, and one of the versions 4_0_0, 4_0_1, 3_0_1 and 1_0_2.',
}

const NO_GROUPS: PlacedRemark = {
  level: 'notice',
  what: 'There is no profile for Group.',
  cost: 'Exports of groups are answered 404.',
  remedy: 'Add one, or leave group out of levels.',
}

const NO_PATIENTS: PlacedRemark = {
  level: 'notice',
  what: 'There is no profile for Patient.',
  cost: 'Exports of patients and groups have no Patient resources.',
  remedy: 'Add one, or let levels be system only.',
}

const UNSERVED = {
  'not-loaded': {
    level: 'error',
    what: 'The service of a profile cannot be loaded.',
    cost: 'Neither the server nor exports can start.',
    remedy:
      'The log has the reason (doctor.service-not-loaded); the path is relative to the working directory.',
  },
  'no-search': {
    level: 'notice',
    what: 'The service of a profile has no search.',
    cost: 'The type is not exported.',
    remedy: 'Give the service search(args, context), if it is to be.',
  },
  'other-version': {
    level: 'notice',
    what: 'A profile has FHIR versions that are not exported.',
    cost: 'There is no $export in those.',
    remedy: `None; these are exported: ${EXPORT_VERSIONS.join(', ')}.`,
  },
} as const satisfies Record<string, PlacedRemark>
