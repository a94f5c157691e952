import { expect } from 'chai'
import { Fhir } from 'fhir'
import type { CapabilityStatement, CapabilityStatementRestResourceOperation } from 'fhir/r4.js'
import type { HostProfile } from '../../plugin/index.js'
import { createHostConfig } from '../../scripts/host/index.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { type TestDatabase, useSuiteDatabase } from '../support/mongodb.js'

type Operation = CapabilityStatementRestResourceOperation

const GUIDE = 'http://hl7.org/fhir/uv/bulkdata'
const INSTANTIATES = `${GUIDE}/CapabilityStatement/bulk-data`
const EXPORTS = {
  system: { name: 'export', definition: `${GUIDE}/OperationDefinition/export` },
  patient: { name: 'export', definition: `${GUIDE}/OperationDefinition/patient-export` },
  group: { name: 'export', definition: `${GUIDE}/OperationDefinition/group-export` },
}
const TYPES = ['Group', 'Observation', 'Patient']
const MATCH = 'http://hl7.org/fhir/OperationDefinition/Patient-match'

describe('the CapabilityStatement', () => {
  const database = useSuiteDatabase()

  describe('of a host', () => {
    const served = useSuiteHost(database, () => ({ types: TYPES }))

    it('lists the export with canonical definitions, where it is offered and nowhere else', async () => {
      const statement = await read(served.host.base)
      expect(statement.instantiates).to.deep.equal([INSTANTIATES])
      expect(operationsOf(statement)).to.deep.equal({
        '': [EXPORTS.system],
        Group: [EXPORTS.group],
        Observation: [],
        Patient: [EXPORTS.patient],
      })
    })

    it('lists what the host says of its types as before', async () => {
      const { rest } = await read(served.host.base)
      expect(rest?.[0]?.resource?.map(({ type }) => type)).to.have.members(TYPES)
      for (const { type, profile, interaction, searchParam } of rest?.[0]?.resource ?? []) {
        expect(profile).to.equal(`http://hl7.org/fhir/StructureDefinition/${type}`)
        expect(interaction?.map(({ code }) => code)).to.include('search-type')
        expect(searchParam?.map(({ name }) => name)).to.include('_id')
      }
    })

    it('has no reference where R4 has a canonical, and is valid otherwise', async () => {
      const statement = await read(served.host.base)
      expect(notCanonical(statement)).to.deep.equal([])
      const { messages } = new Fhir().validate(statement, { errorOnUnexpected: true })
      expect(messages.filter(({ severity }) => severity === 'error' || severity === 'fatal')).to.deep.equal(
        [],
      )
    })

    it('is the same each time', async () => {
      const [first, second] = [await read(served.host.base), await read(served.host.base)]
      expect({ ...second, date: '' }).to.deep.equal({ ...first, date: '' })
    })
  })

  const levels = ['system', 'patient', 'group'] as const
  for (const off of levels) {
    describe(`of a host without exports at ${off} level`, () => {
      const rest = levels.filter((level) => level !== off)
      const served = useSuiteHost(database, () => ({ types: TYPES, options: { levels: rest } }))

      it('does not list them', async () => {
        const operations = operationsOf(await read(served.host.base))
        const listed = rest.map((level) => EXPORTS[level].definition)
        expect(
          Object.values(operations)
            .flat()
            .map(({ definition }) => definition),
        ).to.have.members(listed)
      })
    })
  }

  describe('of a host without patients and groups', () => {
    const served = useSuiteHost(database, () => ({ types: ['Observation'] }))
    it('lists the export at system level alone', async () => {
      expect(operationsOf(await read(served.host.base))).to.deep.equal({
        '': [EXPORTS.system],
        Observation: [],
      })
    })
  })

  describe('of a host with operations of its own', () => {
    const lastn = { name: 'lastn', route: '/$lastn', method: 'GET', reference: 'http://example.org/lastn' }
    const operation = { name: 'match', definition: MATCH, documentation: 'Finds a patient.' }
    const served = useSuiteHost(database, () => ({
      types: ['Group'],
      profiles: {
        Observation: stub({ lastn: async () => ({}) }, [lastn]),
        Patient: stub({ makeResource: () => ({ type: 'Patient', searchParam: [], operation: [operation] }) }),
      },
    }))

    it('has them beside the export, as they were but for their definitions', async () => {
      const statement = await read(served.host.base)
      expect(notCanonical(statement)).to.deep.equal([])
      expect(operationsOf(statement)).to.deep.equal({
        '': [{ name: 'lastn', definition: 'http://example.org/lastn' }, EXPORTS.system],
        Group: [EXPORTS.group],
        Observation: [],
        Patient: [operation, EXPORTS.patient],
      })
    })
  })

  describe('of a host with a generator of its own', () => {
    const seen: string[] = []
    const statementGenerator = (version: string) => {
      seen.push(version)
      return {
        makeStatement: (rest: object) => ({
          ...{ resourceType: 'CapabilityStatement', status: 'active', kind: 'instance', publisher: 'Ours' },
          instantiates: ['http://example.org/statement', INSTANTIATES],
          rest: [{ ...rest, documentation: 'Our own.' }],
        }),
        securityStatement: (security: unknown) => ({ description: JSON.stringify(security) }),
      }
    }
    const served = useSuiteHost(database, () => {
      const { profiles, ...config } = createHostConfig({ db: database.db })
      const own = Object.fromEntries(TYPES.map((type) => [type, profiles[type] as HostProfile]))
      const security = [{ url: 'token', valueUri: 'http://example.org/token' }]
      return { options: { config: { ...config, profiles: own, security, statementGenerator } } }
    })

    it('is its statement, with the export', async () => {
      const statement = await read(served.host.base)
      expect(seen).to.include('4_0_0')
      expect(statement).to.include({ publisher: 'Ours' })
      expect(statement.instantiates).to.deep.equal(['http://example.org/statement', INSTANTIATES])
      expect(statement.rest?.[0]?.documentation).to.equal('Our own.')
      expect(statement.rest?.[0]?.security?.description).to.include('http://example.org/token')
      expect(operationsOf(statement)['']).to.deep.equal([EXPORTS.system])
      expect(operationsOf(statement)['Patient']).to.deep.equal([EXPORTS.patient])
    })
  })

  describe('of a host that writes its types in lower case, as the core allows', () => {
    const patient = { resourceType: 'Patient', id: 'p1' }
    const observation = { resourceType: 'Observation', id: 'o1', subject: { reference: 'Patient/p1' } }
    const served = useSuiteHost(database, () => ({
      profiles: {
        patient: stub({ search: async () => [patient] }),
        observation: stub({ search: async () => [observation] }),
      },
      options: { workers: 2 },
    }))

    it('lists the export, which has every resource', async () => {
      const { host } = served
      expect(operationsOf(await read(host.base))['Patient']).to.deep.equal([EXPORTS.patient])
      for (const path of ['$export', 'Patient/$export', '$export?_type=Patient,Observation']) {
        const { status, headers } = await fetch(`${host.base}/${path}`)
        expect(status, path).to.equal(202)
        const manifest = await host.manifest(headers.get('content-location') as string)
        const found = await host.resources(manifest)
        expect([...found.values()].flat(), path).to.deep.equal([patient, observation])
      }
    })
  })

  describe('of a host that speaks other versions too', () => {
    const versions = ['3_0_1', '4_0_0', '4_0_1']
    const served = useSuiteHost(database, () => ({
      types: ['Group'],
      profiles: { Patient: { ...stub({}), versions } },
    }))
    const baseOf = (version: string) => served.host.base.replace('4_0_0', version)

    it('lists the export in each R4', async () => {
      const operations = operationsOf(await read(baseOf('4_0_1')))
      expect(operations).to.deep.equal({ '': [EXPORTS.system], Patient: [EXPORTS.patient] })
    })

    it('does not list it where there is none', async () => {
      expect((await fetch(`${baseOf('3_0_1')}/$export`)).status).to.equal(404)
      const statement = await read(baseOf('3_0_1'))
      expect(operationsOf(statement)).to.deep.equal({ '': [], Patient: [] })
      expect(statement.instantiates ?? []).to.deep.equal([])
    })
  })
})

/** One host for all tests of a `describe`. */
function useSuiteHost(database: TestDatabase, options: () => TestHostOptions): { readonly host: TestHost } {
  let host: TestHost | undefined
  before('start a host', async () => {
    const { options: given, ...others } = options()
    host = await startHost(database, { ...others, options: { workers: 0, ...given } })
  })
  after('close the host', () => host?.close())
  return {
    get host() {
      return host as TestHost
    },
  }
}

/** A profile with nothing in it. */
function stub(service: object, operation: readonly object[] = []): HostProfile {
  const profile = { service: { search: async () => [], ...service }, versions: ['4_0_0'] }
  return operation.length === 0 ? profile : Object.assign(profile, { operation })
}

async function read(base: string): Promise<CapabilityStatement> {
  const response = await fetch(`${base}/metadata`)
  expect(response.status).to.equal(200)
  const statement = (await response.json()) as CapabilityStatement
  expect(statement.resourceType).to.equal('CapabilityStatement')
  return statement
}

/** The operations by resource type; those of the system under the empty string. */
function operationsOf({ rest = [] }: CapabilityStatement): Readonly<Record<string, readonly Operation[]>> {
  expect(rest).to.have.length(1)
  const [server] = rest
  const ofTypes = (server?.resource ?? []).map(({ type, operation = [] }) => [type, operation] as const)
  return Object.fromEntries([['', server?.operation ?? []] as const, ...ofTypes])
}

/** The elements named `definition` or `profile`, wherever they are, that are not URLs. */
function notCanonical(value: unknown, name = ''): readonly unknown[] {
  if (name === 'definition' || name === 'profile') return typeof value === 'string' ? [] : [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => notCanonical(inner, key))
}
