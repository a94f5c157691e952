import { expect } from 'chai'
import { startHost, type TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'

const GUIDE = 'http://hl7.org/fhir/uv/bulkdata'
const NAMES = { system: 'export', patient: 'patient-export', group: 'group-export' } as const
const VERSIONS = ['4_0_0', '4_0_1', '3_0_1', '1_0_2']

interface Statement {
  readonly resourceType: string
  readonly fhirVersion: string
  readonly instantiates?: readonly string[]
  readonly rest: readonly [
    {
      readonly operation?: readonly { readonly name: string; readonly definition: unknown }[]
      readonly security: { readonly service: readonly [{ readonly coding: readonly [{ system: string }] }] }
      readonly resource: readonly {
        readonly type: string
        readonly profile: unknown
        readonly operation?: readonly object[]
        readonly searchParam: readonly object[]
      }[]
    },
  ]
}

describe('the statement of a host in several FHIR versions', () => {
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    host = await startHost(database, {
      ...{ versions: VERSIONS, types: ['Group', 'Observation', 'Patient'] },
      options: { workers: 0 },
    })
  })
  after('close the host', () => host.close())

  async function read(version: string): Promise<Statement> {
    const response = await fetch(`${host.base.replace('4_0_0', version)}/metadata`)
    expect(response.status).to.equal(200)
    return (await response.json()) as Statement
  }

  for (const version of ['4_0_0', '4_0_1']) {
    it(`lists the exports at their types in ${version}`, async () => {
      const { rest, instantiates } = await read(version)
      expect(rest[0].operation?.map(({ name }) => name)).to.deep.equal(['export'])
      expect(instantiates).to.deep.equal([`${GUIDE}/CapabilityStatement/bulk-data`])
      for (const { type, operation = [] } of rest[0].resource) {
        expect(operation, type).to.have.length(type === 'Observation' ? 0 : 2)
      }
    })
  }

  for (const [version, resourceType, fhirVersion] of [
    ['3_0_1', 'CapabilityStatement', '3.0.1'],
    ['1_0_2', 'Conformance', '1.0.2'],
  ] as const) {
    it(`lists all exports beside the types in ${version}, as References, in a ${resourceType}`, async () => {
      const statement = await read(version)
      const [{ operation, resource }] = statement.rest
      expect(statement).to.include({ resourceType, fhirVersion })
      const references = [NAMES.system, NAMES.group, NAMES.patient].map((name) => ({
        ...{ name, definition: { reference: `${GUIDE}/OperationDefinition/${name}` } },
      }))
      expect(operation).to.have.deep.members(references)
      expect(resource.map(({ type }) => type)).to.have.members(['Group', 'Observation', 'Patient'])
      for (const { type, profile, ...others } of resource) {
        expect(profile).to.deep.equal({ reference: `http://hl7.org/fhir/StructureDefinition/${type}` })
        expect(others).not.to.have.property('operation')
      }
      expect(JSON.stringify(statement)).not.to.include('valueCanonical')
      expect(statement.instantiates).to.deep.equal(
        version === '1_0_2' ? undefined : [`${GUIDE}/CapabilityStatement/bulk-data`],
      )
    })
  }

  it('is true: each version takes kick-offs of what it lists', async () => {
    for (const version of VERSIONS) {
      const base = host.base.replace('4_0_0', version)
      for (const path of ['$export', 'Patient/$export']) {
        expect((await fetch(`${base}/${path}`)).status, `${version} ${path}`).to.equal(202)
      }
      expect((await fetch(`${base}/Group/none/$export`)).status).to.equal(404)
    }
  })
})
