import { expect } from 'chai'
import type { Manifest } from '../../plugin/index.js'
import { compartmentsOf } from './compartment.js'
import type { TestHost, TestResource } from './export-host.js'

export const LATEST = 'LatestProvenanceResources'
export const RELEVANT = 'RelevantProvenanceResources'
/** Of what is newer than any transaction time. */
export const FUTURE = '2999-01-01T00:00:00Z'

/** What an export is asked for, in the words of a test. */
export interface Asked {
  readonly level: 'system' | 'patient' | 'group'
  /** Of the group. */
  readonly members?: readonly string[]
  readonly which?: 'latest' | 'relevant'
  readonly types?: readonly string[]
  readonly since?: string
  readonly patients?: readonly string[]
  /** Whether a resource passes the filters. */
  passes?(resource: TestResource): boolean
}

/** What has to come, worked out from the resources alone, as sorted names such as `Patient/p1`. */
export function expected(resources: readonly TestResource[], base: string, asked: Asked): string[] {
  const { level, members = [], which, types, since, patients, passes = () => true } = asked
  const chosen = (patient: string) =>
    (patients?.includes(patient) ?? true) && (level === 'patient' || members.includes(patient))
  const isInLevel = (resource: TestResource) =>
    level === 'system' || [...compartmentsOf(resource)].some(chosen)
  // A search by `_lastUpdated` does not find what says nothing of it.
  const isNew = (resource: TestResource) => since === undefined || updated(resource) > Date.parse(since)
  const isVisible = (resource: TestResource) => !(updated(resource) >= Date.parse(FUTURE))
  const all = resources.filter(isVisible)
  const others = all.filter(({ resourceType }) => resourceType !== 'Provenance')
  const provenance = all.filter(({ resourceType }) => resourceType === 'Provenance')
  const isAbout = (about: TestResource) => (each: TestResource) => targetsOf(each, base).has(nameOf(about))
  const returned = others.filter(
    (each) => (types?.includes(each.resourceType) ?? true) && isInLevel(each) && isNew(each) && passes(each),
  )
  const inCompartments = new Set(
    resources
      .filter(({ resourceType }) => resourceType !== 'Provenance')
      .filter((each) => isInLevel(each))
      .map(nameOf),
  )
  const associated = () =>
    returned.flatMap((each) => {
      const found = provenance.filter(isAbout(each))
      const newest = Math.max(...found.map(recorded))
      return which === 'latest' ? found.filter((one) => recorded(one) === newest) : found
    })
  const usual = () =>
    provenance
      .filter(() => types?.includes('Provenance') ?? true)
      .filter((each) => level === 'system' || [...targetsOf(each, base)].some((to) => inCompartments.has(to)))
      .filter((each) => isNew(each) && passes(each))
  const found = which === undefined ? usual() : associated()
  return [...returned.map(nameOf), ...new Set(found.map(nameOf))].sort()
}

/** The resources of this server that a Provenance is about, as names. */
function targetsOf({ target }: TestResource, base: string): ReadonlySet<string> {
  const references = (target as readonly { reference?: string }[]).map(({ reference = '' }) => reference)
  return new Set(
    references.flatMap((reference) => {
      const local = reference.replace(`${base}/`, '').replace(/\/_history\/[^/]+$/, '')
      return /^[A-Z][A-Za-z]+\/[^/]+$/.test(local) ? [local] : []
    }),
  )
}

function updated({ meta }: TestResource): number {
  return Date.parse((meta as { lastUpdated?: string } | undefined)?.lastUpdated ?? '')
}

function recorded(provenance: TestResource): number {
  return Date.parse(String(provenance['recorded']))
}

export function nameOf({ resourceType, id }: TestResource): string {
  return `${resourceType}/${id}`
}

/** A parameter; by POST as this `value[x]`. */
export type Pair = readonly [name: string, value: string, as?: 'valueCode' | 'valueString' | 'valueCoding']

export interface Sent {
  readonly pairs?: readonly Pair[]
  readonly way?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends a kick-off for a path such as `Patient/$export`. */
export function send(host: TestHost, path: string, sent: Sent = {}): Promise<Response> {
  const { pairs = [], way = 'GET', headers } = sent
  const all = { Accept: 'application/fhir+json', Prefer: 'respond-async', ...headers }
  if (way === 'GET') {
    const query = new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]))
    return fetch(`${host.base}/${path}${pairs.length === 0 ? '' : `?${query}`}`, { headers: all })
  }
  const parameter = pairs.map(([name, value, as = 'valueString']) => {
    if (name === 'patient') return { name, valueReference: { reference: value } }
    return { name, [as]: as === 'valueCoding' ? { code: value } : value }
  })
  return fetch(`${host.base}/${path}`, {
    ...{ method: 'POST', headers: { ...all, 'Content-Type': 'application/fhir+json' } },
    body: JSON.stringify({ resourceType: 'Parameters', parameter }),
  })
}

export interface Export {
  readonly manifest: Manifest
  /** What came, as sorted names: what came twice stands there twice. */
  readonly names: readonly string[]
  /** What the files of the kind `error` say. */
  readonly notes: string
}

/** Sends a kick-off, demands that it is accepted and gives what the export has. */
export async function exportOf(host: TestHost, path: string, sent: Sent = {}): Promise<Export> {
  const response = await send(host, path, sent)
  const says = await response.text()
  expect(response.status, says).to.equal(202)
  const manifest = await host.manifest(String(response.headers.get('content-location')))
  const resources = [...(await host.resources(manifest)).values()].flat()
  const notes = await Promise.all(manifest.error.map(async ({ url }) => (await fetch(url)).text()))
  return { manifest, names: resources.map(nameOf).sort(), notes: notes.join('') }
}
