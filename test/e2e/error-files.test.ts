import { expect } from 'chai'
import { type TestHost, type TestResource, useHost } from '../support/export-host.js'
import { issuesOf, outputNames, problemsOf, type TestIssue } from '../support/manifest-files.js'
import { useDatabase, useSuiteDatabase } from '../support/mongodb.js'
import { ask, kickOff, startProtectedHost, useOAuthServer } from '../support/protected-host.js'
import { type Pair, send } from '../support/provenance.js'

const MEMBER = { entity: { reference: 'Patient/p1' } }
const RESOURCES: readonly TestResource[] = [
  { resourceType: 'Patient', id: 'p1', gender: 'female' },
  { resourceType: 'Observation', id: 'o1', status: 'final', subject: { reference: 'Patient/p1' } },
  { resourceType: 'Organization', id: 'org' },
  { resourceType: 'Group', id: 'g', type: 'person', actual: true, member: [MEMBER] },
]
const ALL = ['Group/g', 'Observation/o1', 'Organization/org', 'Patient/p1']
const LENIENT = { Prefer: 'respond-async, handling=lenient' }
const STRICT = { Prefer: 'respond-async, handling=strict' }

/** What can be left out: what is asked for, what the warning names, where it stands, and what is exported then. */
interface Case {
  readonly pairs: readonly Pair[]
  /** One for each warning: what it names, and its expression. */
  readonly warnings: readonly (readonly [names: string, expression: string])[]
  readonly exported: readonly string[]
  readonly path?: string
  /** Default: both. */
  readonly way?: 'POST'
}

const CASES: Readonly<Record<string, Case>> = {
  'a parameter': { pairs: [['_foo', 'x']], warnings: [['_foo', '_foo']], exported: ALL },
  'several parameters': {
    pairs: [
      ['_foo', 'x'],
      ['_bar', 'y'],
      ['_foo', 'z'],
    ],
    warnings: [
      ['_foo', '_foo'],
      ['_bar', '_bar'],
    ],
    exported: ALL,
  },
  'parameters of the guide': {
    pairs: [
      ['organizeOutputBy', 'Patient'],
      ['_container', 'x'],
    ],
    warnings: [
      ['organizeOutputBy', 'organizeOutputBy'],
      ['_container', '_container'],
    ],
    exported: ALL,
  },
  'a parameter with a strange name': {
    pairs: [['"<ü\n\t\u0007\\>', 'x']],
    warnings: [['ü', '"<ü\n\t\u0007\\>']],
    exported: ALL,
  },
  types: {
    pairs: [['_type', 'Patient,Nope,Medication']],
    warnings: [
      ['Nope', '_type'],
      ['Medication', '_type'],
    ],
    exported: ['Patient/p1'],
  },
  filters: {
    pairs: [
      ['_typeFilter', 'Patient?nope=1'],
      ['_typeFilter', 'Nope?status=final'],
      ['_typeFilter', 'Observation?status=final'],
    ],
    warnings: [
      ['Patient?nope=1', '_typeFilter'],
      ['Nope?status=final', '_typeFilter'],
    ],
    exported: ALL,
  },
  elements: {
    pairs: [['_elements', 'id,Patient.nope,nopes,Nope.id']],
    warnings: [
      ['Patient.nope', '_elements'],
      ['nopes', '_elements'],
      ['Nope.id', '_elements'],
    ],
    exported: ALL,
  },
  'a patient': {
    ...{ path: 'Patient/$export', way: 'POST' },
    pairs: [
      ['patient', 'Patient/p1'],
      ['patient', 'Patient/nobody'],
      ['_type', 'Patient,Observation'],
    ],
    warnings: [['Patient/nobody', 'patient']],
    exported: ['Observation/o1', 'Patient/p1'],
  },
  'the only patient': {
    ...{ path: 'Group/g/$export', way: 'POST' },
    pairs: [['patient', 'Patient/nobody']],
    warnings: [['Patient/nobody', 'patient']],
    exported: [],
  },
  'some of all': {
    ...{ path: 'Group/g/$export', way: 'POST' },
    pairs: [
      ['_type', 'Patient,Nope'],
      ['_foo', 'x'],
      ['_elements', 'Patient.nope'],
      ['_typeFilter', 'Patient?nope=1'],
      ['patient', 'Patient/p1'],
      ['patient', 'Patient/nobody'],
    ],
    warnings: [
      ['_foo', '_foo'],
      ['Nope', '_type'],
      ['Patient?nope=1', '_typeFilter'],
      ['Patient.nope', '_elements'],
      ['Patient/nobody', 'patient'],
    ],
    exported: ['Patient/p1'],
  },
}

async function exportOf(host: TestHost, path: string, pairs: readonly Pair[], way: 'GET' | 'POST') {
  const response = await send(host, path, { pairs, way, headers: LENIENT })
  expect(response.status, await response.text()).to.equal(202)
  return host.manifest(String(response.headers.get('content-location')))
}

describe('what is not supported', () => {
  const database = useDatabase()
  const test = useHost(database, () => ({ resources: RESOURCES }))

  for (const [what, { pairs, warnings, exported, path = '$export', way }] of Object.entries(CASES)) {
    for (const by of way === undefined ? (['GET', 'POST'] as const) : ([way] as const)) {
      it(`is left out with a warning each, lenient, by ${by}: ${what} [ERR-02 QP-05 MF-10 ERR-15]`, async () => {
        const manifest = await exportOf(test.host, path, pairs, by)
        expect(manifest.error.map(({ type, count }) => [type, count])).to.deep.equal([
          ['OperationOutcome', warnings.length],
        ])
        const issues = await issuesOf(manifest)
        for (const { severity, code } of issues)
          expect([severity, code]).to.deep.equal(['warning', 'not-supported'])
        expect(issues.map(({ expression }) => expression)).to.deep.equal(warnings.map(([, each]) => [each]))
        for (const [index, [name]] of warnings.entries()) {
          expect(issues[index]?.diagnostics).to.include(name)
        }
        expect(await outputNames(manifest)).to.deep.equal(exported)
      })

      it(`is refused with all that is wrong, and nothing is stored, strict, by ${by}: ${what} [ERR-15]`, async () => {
        for (const headers of [STRICT, undefined]) {
          const response = await send(test.host, path, { pairs, way: by, ...(headers ? { headers } : {}) })
          const text = await response.text()
          // A patient that is not there is looked for only in a request that is right otherwise.
          const isOnlyPatients = warnings.every(([, expression]) => expression === 'patient')
          expect(response.status, text).to.equal(isOnlyPatients ? 422 : 400)
          const outcome = JSON.parse(text)
          expect(problemsOf(outcome), text).to.deep.equal([])
          const issues = outcome.issue as readonly TestIssue[]
          const expected = isOnlyPatients ? warnings : warnings.filter(([, each]) => each !== 'patient')
          expect(issues.map(({ severity }) => severity)).to.deep.equal(expected.map(() => 'error'))
          expect(issues.map(({ expression }) => expression)).to.deep.equal(expected.map(([, each]) => [each]))
        }
        expect(await database.db.collection('bulkexport.jobs').countDocuments()).to.equal(0)
      })
    }
  }

  it('is told of up to twenty times, and then how much more there is [ERR-15]', async () => {
    const pairs = Array.from({ length: 45 }, (_, index): Pair => [`_unknown${index}`, 'x'])
    const issues = await issuesOf(await exportOf(test.host, '$export', pairs, 'GET'))
    expect(issues.slice(0, 20).map(({ expression }) => expression?.[0])).to.deep.equal(
      pairs.slice(0, 20).map(([name]) => name),
    )
    expect(
      issues.slice(20).map(({ severity, diagnostics }) => [severity, diagnostics.match(/\d+/)?.[0]]),
    ).to.deep.equal([['warning', '25']])
  })

  it('names all patients that are not there', async () => {
    const pairs: readonly Pair[] = [
      ['patient', 'Patient/p1'],
      ['patient', 'Patient/nobody'],
      ['patient', 'Patient/noone'],
    ]
    const issues = await issuesOf(await exportOf(test.host, 'Patient/$export', pairs, 'POST'))
    const says = issues.map(({ diagnostics }) => diagnostics).join()
    expect(says).to.include('Patient/nobody').and.to.include('Patient/noone').and.not.to.include('Patient/p1')
    for (const { severity } of issues) expect(severity).to.equal('warning')
  })

  it('is said of a type that is in no compartment, strict or not, as information [ERR-15]', async () => {
    for (const headers of [LENIENT, STRICT]) {
      const response = await send(test.host, 'Patient/$export', {
        ...{ pairs: [['_type', 'Patient,Organization']], headers },
      })
      const manifest = await test.host.manifest(String(response.headers.get('content-location')))
      const issues = await issuesOf(manifest)
      expect(issues.map(({ severity }) => severity)).to.deep.equal(['information'])
      expect(issues[0]?.diagnostics).to.match(/\bOrganization\b/)
      expect(await outputNames(manifest)).to.deep.equal(['Patient/p1'])
    }
  })

  it('is not there: then there are no error files [MF-10 EE-02]', async () => {
    const manifest = await exportOf(test.host, '$export', [['_outputFormat', 'ndjson']], 'GET')
    expect(manifest.error).to.deep.equal([])
    expect(await outputNames(manifest)).to.deep.equal(ALL)
  })
})

describe('what a token does not cover', () => {
  const database = useSuiteDatabase()
  const oauth = useOAuthServer(['client'])
  let host: TestHost
  before('start a host', async () => {
    host = await startProtectedHost(database, { resources: RESOURCES })
  })
  after('close the host', () => host?.close())

  async function exported(scope: string, path: string, handling: string) {
    const token = await oauth.token('client', scope)
    const headers = { Prefer: `respond-async, handling=${handling}` }
    const statusUrl = await kickOff(host, { token, headers }, path)
    await host.ended(statusUrl)
    const manifest = JSON.parse((await ask(statusUrl, { token })).text)
    const authorized = { Authorization: `Bearer ${token}` }
    return {
      manifest,
      issues: await issuesOf(manifest, authorized),
      names: await outputNames(manifest, authorized),
    }
  }
  const namesIn = ({ diagnostics }: TestIssue) =>
    ['Group', 'Observation', 'Organization', 'Patient'].filter((type) =>
      new RegExp(`\\b${type}\\b`).test(diagnostics),
    )

  for (const handling of ['strict', 'lenient']) {
    it(`is left out without _type, ${handling}, and information says so [ERR-06 MF-10]`, async () => {
      const { issues, names } = await exported('system/Patient.rs system/Group.rs', '$export', handling)
      expect(issues.map(({ severity }) => severity)).to.deep.equal(['information'])
      expect(issues.flatMap(namesIn)).to.deep.equal(['Observation', 'Organization'])
      expect(names).to.deep.equal(['Group/g', 'Patient/p1'])
    })

    it(`is nothing: then there are no error files, ${handling} [ERR-06 MF-10]`, async () => {
      const { manifest, names } = await exported('system/*.rs', '$export', handling)
      expect([manifest.error, names]).to.deep.equal([[], ALL])
    })
  }

  it('is left out when it was asked for by name, lenient, and a warning says so [ERR-02]', async () => {
    const { issues, names } = await exported(
      'system/Patient.rs',
      '$export?_type=Patient,Observation',
      'lenient',
    )
    expect(issues.map(({ severity, expression }) => [severity, expression])).to.deep.equal([
      ['warning', ['_type']],
    ])
    expect(issues.flatMap(namesIn)).to.deep.equal(['Observation'])
    expect(names).to.deep.equal(['Patient/p1'])
  })

  it('is in error files that a narrower token does not get: 403', async () => {
    const token = await oauth.token('client', 'system/Patient.rs system/Observation.rs')
    const statusUrl = await kickOff(host, { token })
    await host.ended(statusUrl)
    const { error } = JSON.parse((await ask(statusUrl, { token })).text)
    const narrow = { token: await oauth.token('client', 'system/Patient.rs') }
    expect((await ask(error[0].url, { token })).status).to.equal(200)
    expect((await ask(error[0].url, narrow)).status).to.equal(403)
  })
})
