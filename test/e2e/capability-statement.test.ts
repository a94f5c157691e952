import { expect } from 'chai'
import { Fhir } from 'fhir'
import type {
  CapabilityStatement,
  CapabilityStatementRestResource,
  CapabilityStatementRestResourceOperation,
} from 'fhir/r4.js'
import { PatientSearchParameters } from 'fhir-spec-tools'
import { exportStatementGenerator } from '../../plugin/http/capability-statement.js'
import type { HostProfile } from '../../plugin/index.js'
import { createHostConfig } from '../../scripts/host/index.js'
import { startHost, type TestHost, type TestHostOptions } from '../support/export-host.js'
import { type TestDatabase, useSuiteDatabase } from '../support/mongodb.js'

type Operation = CapabilityStatementRestResourceOperation

const GUIDE = 'http://hl7.org/fhir/uv/bulkdata'
const INSTANTIATES = `${GUIDE}/CapabilityStatement/bulk-data`
const definition = (name: string) => `${GUIDE}/OperationDefinition/${name}`
/** What is listed for each level: the name of the guide, and the one that older clients look for. */
const EXPORTS = {
  system: [{ name: 'export', definition: definition('export') }],
  patient: ['export', 'patient-export'].map((name) => ({ name, definition: definition('patient-export') })),
  group: ['export', 'group-export'].map((name) => ({ name, definition: definition('group-export') })),
}
const NOT_SUPPORTED = `${GUIDE}/StructureDefinition/operation-not-supported`
/** A published table of the R4 compartment definition, and not the one that the plugin has. */
const COMPARTMENT: Readonly<Record<string, unknown>> = PatientSearchParameters.patientSearchParameters
const TYPES = ['Group', 'Observation', 'Patient']
const MATCH = 'http://hl7.org/fhir/OperationDefinition/Patient-match'

describe('the CapabilityStatement', () => {
  const database = useSuiteDatabase()

  describe('of a host', () => {
    const served = useSuiteHost(database, () => ({ types: TYPES }))

    it('lists both names of the export, where it is offered and nowhere else [KO-20]', async () => {
      const statement = await read(served.host.base)
      expect(operationsOf(statement)).to.deep.equal({
        '': EXPORTS.system,
        Group: EXPORTS.group,
        Observation: [],
        Patient: EXPORTS.patient,
      })
    })

    it('says that the host does what the guide says [KO-21]', async () => {
      expect((await read(served.host.base)).instantiates).to.deep.equal([INSTANTIATES])
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

    it('is the same each time', async () => {
      const [first, second] = [await read(served.host.base), await read(served.host.base)]
      expect({ ...second, date: '' }).to.deep.equal({ ...first, date: '' })
    })
  })

  const sources = { 'the example host has': {}, 'the core has': { metadata: undefined } }
  for (const [source, change] of Object.entries(sources)) {
    describe(`of a host for all types, with the search parameters that ${source}`, () => {
      const served = useSuiteHost(database, () => {
        const { profiles, ...config } = createHostConfig({ db: database.db })
        const changed = Object.entries(profiles).map(([type, profile]) => [type, { ...profile, ...change }])
        const security = [{ url: 'token', valueUri: 'https://auth.example.org/token' }]
        return { options: { config: { ...config, security, profiles: Object.fromEntries(changed) } } }
      })

      it('is valid R4 [KO-20]', async () => {
        const statement = await read(served.host.base)
        expect(resourcesOf(statement)).to.have.length.greaterThan(100)
        expect(problemsOf(statement)).to.deep.equal([])
        for (const { type, profile } of resourcesOf(statement)) {
          expect(profile).to.equal(`http://hl7.org/fhir/StructureDefinition/${type}`)
        }
      })

      it('has the types that are exported at every level first [KO-22]', async () => {
        const types = resourcesOf(await read(served.host.base)).map(({ type }) => type)
        const all = Object.keys(createHostConfig({ db: database.db }).profiles)
        const isInCompartment = (type: string) => Object.hasOwn(COMPARTMENT, type)
        expect(types).to.deep.equal([
          ...all.filter(isInCompartment),
          ...all.filter((type) => !isInCompartment(type)),
        ])
      })

      it('names the token endpoint [AU-09]', async () => {
        const [server] = (await read(served.host.base)).rest ?? []
        expect(server?.security?.extension).to.deep.equal([
          {
            url: 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris',
            extension: [{ url: 'token', valueUri: 'https://auth.example.org/token' }],
          },
        ])
      })
    })
  }

  describe('of a host with types that can be read but not searched', () => {
    const unreadable = (service: object): HostProfile => ({ service, versions: ['4_0_0'] })
    const own = { url: 'http://example.org/extension', valueString: 'Ours' }
    const profiles = {
      Condition: unreadable({ searchById: async () => ({}) }),
      Organization: unreadable({ makeResource: () => ({ type: 'Organization', extension: [own] }) }),
    }
    /** With what the core itself says of its parameters. */
    const Device: HostProfile = { service: { search: async () => [] }, versions: ['4_0_0'] }
    const served = useSuiteHost(database, () => ({
      types: ['Practitioner', 'Procedure', 'Patient'],
      profiles: { ...profiles, Device },
    }))

    it('marks the types that a kick-off refuses, and no others [KO-23]', async () => {
      const statement = await read(served.host.base)
      expect(problemsOf(statement)).to.deep.equal([])
      for (const { type, extension = [] } of resourcesOf(statement)) {
        const { status } = await fetch(`${served.host.base}/$export?_type=${type}`)
        const mark = status === 400 ? [{ url: NOT_SUPPORTED, valueCanonical: INSTANTIATES }] : []
        expect(extension, `${type}: ${status}`).to.deep.equal([
          ...(type === 'Organization' ? [own] : []),
          ...mark,
        ])
        expect(status === 400, type).to.equal(Object.hasOwn(profiles, type))
      }
    })

    it('marks the parameters that _typeFilter refuses by name, and no others [KO-23]', async () => {
      const [device] = resourcesOf(await read(served.host.base)).filter(({ type }) => type === 'Device')
      const parameters = device?.searchParam ?? []
      expect(parameters.length).to.be.above(10)
      for (const { name, extension = [] } of parameters) {
        const filter = encodeURIComponent(`Device?${name}=2024-01-01`)
        const answer = await fetch(`${served.host.base}/$export?_type=Device&_typeFilter=${filter}`)
        const isRefused = answer.status === 400 && (await answer.text()).includes('not for filters')
        const mark = isRefused ? [{ url: NOT_SUPPORTED, valueCanonical: INSTANTIATES }] : []
        expect(extension, name).to.deep.equal(mark)
      }
      expect(parameters.some(({ extension }) => extension !== undefined)).to.equal(true)
    })

    it('does not have them first [KO-22]', async () => {
      const types = resourcesOf(await read(served.host.base)).map(({ type }) => type)
      expect(types).to.deep.equal([
        'Procedure',
        'Patient',
        'Practitioner',
        'Condition',
        'Organization',
        'Device',
      ])
    })
  })

  describe('of a host that expands value sets', () => {
    it('has no interaction that R4 does not know', () => {
      // The core remembers the interactions of a type for all hosts of a process, so no host can show this.
      const listed = [{ code: 'read' }, { code: 'expand' }]
      const offered = { levels: [], versions: ['4_0_0'], types: () => ['ValueSet', 'CodeSystem'] }
      const statement = exportStatementGenerator(offered)('4_0_0').makeStatement({
        mode: 'server',
        resource: [
          { type: 'ValueSet', interaction: listed },
          { type: 'CodeSystem', interaction: listed.slice(1) },
        ],
      }) as CapabilityStatement
      expect(problemsOf(statement)).to.deep.equal([])
      expect(resourcesOf(statement)).to.deep.equal([
        { type: 'ValueSet', interaction: [{ code: 'read' }] },
        { type: 'CodeSystem' },
      ])
    })
  })

  describe('that is not valid', () => {
    const served = useSuiteHost(database, () => ({ types: TYPES }))
    const reference = { reference: 'http://example.org/definition' }
    const damages: Readonly<Record<string, (resource: object, statement: object) => unknown>> = {
      'an unknown code': (_, statement) => Object.assign(statement, { status: 'ready' }),
      'an element too many': (_, statement) => Object.assign(statement, { acceptUnknown: 'both' }),
      'an element too few': (_, statement) => Reflect.deleteProperty(statement, 'kind'),
      'an unknown type': (resource) => Object.assign(resource, { type: 'Nothing' }),
      'a reference for a profile': (resource) => Object.assign(resource, { profile: reference }),
      'a reference for a definition': (resource) =>
        Object.assign(resource, { operation: [{ name: 'export', definition: reference }] }),
      'an extension with the wrong value': (resource) =>
        Object.assign(resource, { extension: [{ url: NOT_SUPPORTED, valueCanonical: reference }] }),
      'an empty list': (resource) => Object.assign(resource, { searchParam: [] }),
    }
    for (const [damage, inflict] of Object.entries(damages)) {
      it(`is found out by these tests: ${damage}`, async () => {
        const statement = await read(served.host.base)
        expect(problemsOf(statement)).to.deep.equal([])
        inflict(resourcesOf(statement)[0] as object, statement)
        expect(problemsOf(statement)).to.have.length.greaterThan(0)
      })
    }
  })

  const levels = ['system', 'patient', 'group'] as const
  for (const off of levels) {
    describe(`of a host without exports at ${off} level`, () => {
      const rest = levels.filter((level) => level !== off)
      const served = useSuiteHost(database, () => ({ types: TYPES, options: { levels: rest } }))

      it('does not list them', async () => {
        const operations = operationsOf(await read(served.host.base))
        const listed = rest.flatMap((level) => EXPORTS[level])
        expect(Object.values(operations).flat()).to.have.deep.members(listed)
      })
    })
  }

  describe('of a host without patients and groups', () => {
    const served = useSuiteHost(database, () => ({ types: ['Observation'] }))
    it('lists the export at system level alone', async () => {
      expect(operationsOf(await read(served.host.base))).to.deep.equal({
        '': EXPORTS.system,
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
      expect(problemsOf(statement)).to.deep.equal([])
      expect(operationsOf(statement)).to.deep.equal({
        '': [{ name: 'lastn', definition: 'http://example.org/lastn' }, ...EXPORTS.system],
        Group: EXPORTS.group,
        Observation: [],
        Patient: [operation, ...EXPORTS.patient],
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
      expect(operationsOf(statement)['']).to.deep.equal(EXPORTS.system)
      expect(operationsOf(statement)['Patient']).to.deep.equal(EXPORTS.patient)
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
      expect(operationsOf(await read(host.base))['Patient']).to.deep.equal(EXPORTS.patient)
      for (const path of ['$export', 'Patient/$export', '$export?_type=Patient,Observation']) {
        const { status, headers } = await fetch(`${host.base}/${path}`)
        expect(status, path).to.equal(202)
        const manifest = await host.manifest(headers.get('content-location') as string)
        const found = await host.resources(manifest)
        expect([...found.values()].flat(), path).to.deep.equal([patient, observation])
      }
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

function resourcesOf({ rest = [] }: CapabilityStatement): readonly CapabilityStatementRestResource[] {
  return rest[0]?.resource ?? []
}

/** Where a statement is not R4, as a published validator and the check below see it. */
function problemsOf(statement: CapabilityStatement): readonly unknown[] {
  const { messages } = new Fhir().validate(statement, { errorOnUnexpected: true })
  return [...messages.filter(({ severity }) => severity !== 'info'), ...malformed(statement)]
}

const URLS = ['definition', 'profile', 'instantiates', 'url', 'system', 'valueUri', 'valueCanonical']

/** What that validator overlooks: what stands for a URL and is none, and empty lists. */
function malformed(value: unknown, name = ''): readonly unknown[] {
  if (Array.isArray(value) && value.length === 0) return [{ [name]: value }]
  if (Array.isArray(value)) return value.flatMap((item) => malformed(item, name))
  if (URLS.includes(name)) return typeof value === 'string' && /^\S+$/.test(value) ? [] : [{ [name]: value }]
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => malformed(inner, key))
}
