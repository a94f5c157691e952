import { expect } from 'chai'
import type { HostProfile } from '../../plugin/index.js'
import type { ExportJob } from '../../plugin/jobs/model.js'
import { createHostConfig } from '../../scripts/host/index.js'
import type { TestHost } from './export-host.js'
import type { TestDatabase } from './mongodb.js'

/** Parameters of a kick-off, by POST; a list stands for a parameter that is given several times. */
export type Parameters = Readonly<Record<string, string | readonly string[]>>

/** What came of an export. */
export interface ExportedLines {
  /** The lines of each type, sorted, with `BASE` for the base URL of the host. */
  readonly lines: ReadonlyMap<string, readonly string[]>
  /** The lines of the `error` files. */
  readonly errors: readonly string[]
  /** The record of its job. */
  readonly job: ExportJob
}

/** Runs an export to its end. */
export async function exportedLines(
  host: TestHost,
  database: TestDatabase,
  path: string,
  parameters: Parameters = {},
): Promise<ExportedLines> {
  const statusUrl = await kickOff(host, path, parameters)
  expect(await host.ended(statusUrl)).to.equal('completed')
  return linesOf(host, database, statusUrl)
}

/** @returns the status URL */
export async function kickOff(host: TestHost, path: string, parameters: Parameters): Promise<string> {
  const parameter = Object.entries(parameters).flatMap(([name, given]) =>
    [given].flat().map((value) => {
      return name === 'patient'
        ? { name, valueReference: { reference: value } }
        : { name, [name === '_since' || name === '_until' ? 'valueInstant' : 'valueString']: value }
    }),
  )
  const response = await fetch(`${host.base}/${path}`, {
    method: 'POST',
    headers: {
      ...{ Accept: 'application/fhir+json', Prefer: 'respond-async' },
      'Content-Type': 'application/fhir+json',
    },
    body: JSON.stringify({ resourceType: 'Parameters', parameter }),
  })
  expect(response.status, await response.text()).to.equal(202)
  return response.headers.get('content-location') as string
}

/** The lines of an export that is complete. */
export async function linesOf(
  host: TestHost,
  database: TestDatabase,
  statusUrl: string,
): Promise<ExportedLines> {
  const manifest = await host.manifest(statusUrl)
  const linesAt = async (url: string) => {
    const text = await (await fetch(url)).text()
    return text.replaceAll(host.base, 'BASE').trimEnd().split('\n')
  }
  const lines = new Map<string, string[]>()
  for (const { type, url, count } of manifest.output) {
    const found = await linesAt(url)
    expect(found, url).to.have.length(count)
    lines.set(type, [...(lines.get(type) ?? []), ...found])
  }
  const errors = await Promise.all(manifest.error.map(({ url }) => linesAt(url)))
  const jobs = database.db.collection<{ _id: string }>('bulkexport.jobs')
  const job = (await jobs.findOne({ _id: statusUrl.split('/').at(-1) as string })) as unknown as ExportJob
  return {
    lines: new Map([...lines].sort().map(([type, all]) => [type, all.sort()])),
    errors: errors.flat().sort(),
    job,
  }
}

/** The profiles of the example host whose services offer `exportQuery`. */
export function queryingProfiles({ db }: TestDatabase): Readonly<Record<string, HostProfile>> {
  return createHostConfig({ db, queries: true }).profiles as unknown as Readonly<Record<string, HostProfile>>
}
