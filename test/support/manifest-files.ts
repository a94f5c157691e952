import { expect } from 'chai'
import { Fhir } from 'fhir'
import type { Manifest, ManifestFile } from '../../plugin/index.js'
import type { TestHost, TestResource } from './export-host.js'

type Headers = Readonly<Record<string, string>>

/**
 * Downloads files of a manifest, one after the other. Demands that each is NDJSON of the type that the manifest
 * says, with as many lines as it says and at least one.
 */
export async function linesOf(files: readonly ManifestFile[], headers: Headers = {}) {
  const all: TestResource[] = []
  for (const file of files) {
    expect(file).to.have.all.keys('type', 'url', 'count')
    const response = await fetch(file.url, { headers })
    const text = await response.text()
    expect(response.status, text).to.equal(200)
    expect(response.headers.get('content-type')).to.equal('application/fhir+ndjson')
    expect(text).to.match(/[^\n]\n$/)
    const lines = text.slice(0, -1).split('\n')
    expect(lines, file.url).to.have.length(file.count)
    const resources = lines.map((line) => JSON.parse(line) as TestResource)
    expect(new Set(resources.map(({ resourceType }) => resourceType))).to.deep.equal(new Set([file.type]))
    all.push(...resources)
  }
  return all
}

interface DeletionEntry {
  readonly request: { readonly method: string; readonly url: string }
}

/** Downloads the `deleted` files: for each line the names that it says were deleted, in their order. */
export async function deletionsOf({ deleted }: Manifest, headers: Headers = {}) {
  for (const { type } of deleted) expect(type).to.equal('Bundle')
  const bundles = await linesOf(deleted, headers)
  return bundles.map((bundle) => {
    expect(bundle).to.have.all.keys('resourceType', 'type', 'entry')
    expect(bundle['type']).to.equal('transaction')
    expect(problemsOf(bundle), JSON.stringify(bundle).slice(0, 500)).to.deep.equal([])
    return (bundle['entry'] as readonly DeletionEntry[]).map((entry) => {
      expect(entry).to.have.all.keys('request')
      expect(entry.request).to.have.all.keys('method', 'url')
      expect(entry.request.method).to.equal('DELETE')
      expect(entry.request.url).to.match(/^[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}$/)
      return entry.request.url
    })
  })
}

/** All that was deleted, as sorted names: what is told twice stands there twice. */
export async function deletedNames(manifest: Manifest, headers: Headers = {}): Promise<readonly string[]> {
  return (await deletionsOf(manifest, headers)).flat().sort()
}

/** All that is in the output, in the same way. */
export async function outputNames({ output }: Manifest, headers: Headers = {}): Promise<readonly string[]> {
  return (await linesOf(output, headers)).map(({ resourceType, id }) => `${resourceType}/${id}`).sort()
}

export interface TestIssue {
  readonly severity: string
  readonly code: string
  readonly diagnostics: string
  readonly expression?: readonly string[]
}

/** The issues of the `error` files: one in each OperationOutcome, of which each is valid. */
export async function issuesOf({ error }: Manifest, headers: Headers = {}): Promise<readonly TestIssue[]> {
  for (const { type } of error) expect(type).to.equal('OperationOutcome')
  return (await linesOf(error, headers)).map((outcome) => {
    expect(problemsOf(outcome), JSON.stringify(outcome)).to.deep.equal([])
    expect(outcome).to.have.all.keys('resourceType', 'issue')
    const issues = outcome['issue'] as readonly TestIssue[]
    expect(issues).to.have.length(1)
    return issues[0] as TestIssue
  })
}

const validator = new Fhir()

/** What a published validator finds wrong with a resource of R4. */
export function problemsOf(resource: object): readonly unknown[] {
  const { messages } = validator.validate(resource, { errorOnUnexpected: true })
  return messages.filter(({ severity }) => severity !== 'info')
}

/** Writes a resource as a client of the host does. */
export async function put({ base }: TestHost, resource: object): Promise<void> {
  const { resourceType, id } = resource as TestResource
  const response = await fetch(`${base}/${resourceType}/${id}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/fhir+json' },
    body: JSON.stringify(resource),
  })
  expect(response.status, await response.text()).to.be.oneOf([200, 201])
}

/** Deletes resources such as `Patient/p1` as a client of the host does. */
export async function remove({ base }: TestHost, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    const response = await fetch(`${base}/${name}`, { method: 'DELETE' })
    expect(response.status, await response.text()).to.equal(204)
  }
}

/** An instant that is over when this returns, so that whatever is written from now on is later. */
export function pastInstant(): string {
  const now = Date.now()
  while (Date.now() === now) {
    // Less than a millisecond.
  }
  return new Date(now).toISOString()
}
