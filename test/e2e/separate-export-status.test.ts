import { expect } from 'chai'
import { ExportError, type HostProfile } from '../../plugin/index.js'
import { useHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'
import { type Answer, type Asked, ask } from '../support/raw-http.js'

const SEPARATE: Asked = { headers: { Prefer: 'respond-async, separate-export-status' } }
const PATIENT = { resourceType: 'Patient', id: 'p1' }
const GROUP = {
  ...{ resourceType: 'Group', id: 'g', type: 'person', actual: true },
  member: [{ entity: { reference: 'Patient/p1' } }],
}

function profileOf(search: () => Promise<unknown>): HostProfile {
  return { service: { search }, versions: ['4_0_0'] }
}

describe('the status of an export that is told apart from that of the request', () => {
  let gate: Gate
  let refusal: ExportError | undefined
  let groups: readonly (readonly object[])[]
  const database = useDatabase()
  const test = useHost(database, () => {
    gate = new Gate()
    refusal = undefined
    groups = []
    let groupSearches = 0
    const Observation = profileOf(async () => {
      await gate.pass()
      return []
    })
    const Condition = profileOf(async () => Promise.reject(new Error('broken')))
    const Group = profileOf(async () => groups[Math.min(groupSearches++, groups.length - 1)])
    return {
      resources: [PATIENT],
      profiles: { Observation, Condition, Group },
      options: {
        minPollInterval: 60_000,
        authorize: async () => {
          if (refusal !== undefined) throw refusal
          return { clientId: 'me', types: 'all' }
        },
      },
    }
  })
  afterEach(() => gate.open())

  const kickOff = async (path: string, asked = SEPARATE) => {
    const answer = await ask(`${test.host.base}/${path}`, asked)
    expect(answer.status, answer.text).to.equal(202)
    return String(answer.headers['content-location'])
  }

  const prefers: readonly (readonly [prefer: string, isApplied: boolean])[] = [
    ['respond-async, separate-export-status', true],
    ['separate-export-status,respond-async', true],
    ['respond-async, handling=lenient, Separate-Export-Status', true],
    ['separate-export-status', true],
    ['respond-async', false],
    ['respond-async, separate-status', false],
  ]
  for (const [Prefer, isApplied] of prefers) {
    it(`is ${isApplied ? '' : 'not '}promised for Prefer: ${Prefer} [KO-08]`, async () => {
      for (const method of ['GET', 'POST']) {
        const { status, headers, text } = await ask(`${test.host.base}/Patient/$export`, {
          ...{ method, headers: { Prefer } },
        })
        expect([status, text]).to.deep.equal([202, ''])
        expect(headers['preference-applied']).to.equal(
          isApplied ? 'respond-async, separate-export-status' : undefined,
        )
        const { headers: told } = await ask(String(headers['content-location']))
        expect('x-export-status' in told).to.equal(isApplied)
      }
    })
  }

  it('is 202 Accepted while the export runs, then 200 OK with the manifest [ST-12]', async () => {
    const path = 'Patient/$export?_type=Observation,Patient'
    const statusUrl = await kickOff(path)
    const usual = await kickOff(path, {})
    await gate.reached
    const running = await ask(statusUrl)
    expect([running.status, running.headers['x-export-status'], running.text]).to.deep.equal([
      ...[200, '202 Accepted', ''],
    ])
    expect(running.headers['x-progress']).to.match(/^\d+%/)
    expect(running.headers['retry-after']).to.match(/^[1-9]\d*$/)
    expect(running.headers['cache-control']).to.equal('no-store')
    expect((await ask(usual)).status).to.equal(202)

    gate.open()
    for (const url of [statusUrl, usual]) expect(await test.host.ended(url)).to.equal('completed')
    const complete = await ask(statusUrl)
    expect([complete.status, complete.headers['x-export-status']]).to.deep.equal([200, '200 OK'])
    expect(complete.headers['content-type']).to.equal('application/json')
    expect(complete.headers['cache-control']).to.equal('no-store')
    expect(Date.parse(String(complete.headers['expires']))).to.be.above(Date.now())
    const { output, request } = JSON.parse(complete.text)
    expect(request).to.equal(`${test.host.base}/${path}`)
    expect(output).to.deep.equal([{ type: 'Patient', url: `${statusUrl}/Patient-1.ndjson`, count: 1 }])
    const same = await ask(usual)
    expect([same.status, same.headers['x-export-status']]).to.deep.equal([200, undefined])
    expect(JSON.parse(same.text).output).to.have.length(1)
  })

  const gone = [[GROUP], []]
  const changed = [[GROUP], [{ ...GROUP, modifierExtension: [{ url: 'http://example.org/x' }] }]]
  const failures: readonly (readonly [status: string, path: string, groups: typeof gone])[] = [
    ['500 Internal Server Error', '$export?_type=Condition', []],
    ['500 Internal Server Error', 'Group/g/$export?_type=Patient', gone],
    ['422 Unprocessable Entity', 'Group/g/$export?_type=Patient', changed],
  ]
  for (const [expected, path, found] of failures) {
    it(`is ${expected} with an OperationOutcome when ${path} has failed so [ST-12]`, async () => {
      groups = found
      const statusUrl = await kickOff(path)
      expect(await test.host.ended(statusUrl)).to.equal('failed')
      const { status, headers, text } = await ask(statusUrl)
      expect([status, headers['x-export-status']]).to.deep.equal([200, expected])
      expectOutcome({ headers, text })
      expect(headers['cache-control']).to.equal('no-store')
    })
    it(`is the status of the request without the preference when ${path} has failed`, async () => {
      groups = found
      const statusUrl = await kickOff(path, {})
      expect(await test.host.ended(statusUrl)).to.equal('failed')
      const { status, headers, text } = await ask(statusUrl)
      expect([status, headers['x-export-status']]).to.deep.equal([Number.parseInt(expected, 10), undefined])
      expectOutcome({ headers, text })
    })
  }

  it('is not told where the request itself is refused [ST-12]', async () => {
    const statusUrl = await kickOff('Patient/$export?_type=Observation')
    const expectRefused = async (expected: number) => {
      const { status, headers, text } = await ask(statusUrl)
      expect([status, headers['x-export-status']]).to.deep.equal([expected, undefined])
      expectOutcome({ headers, text })
      return headers
    }
    refusal = new ExportError(401, 'Who are you?', { code: 'login' })
    await expectRefused(401)
    refusal = new ExportError(403, 'Not you.', { code: 'forbidden' })
    await expectRefused(403)
    refusal = undefined
    for (let polls = 0; polls < 10; polls += 1) expect((await ask(statusUrl)).status).to.equal(200)
    expect((await expectRefused(429))['retry-after']).to.match(/^[1-9]\d*$/)
    gate.open()
    expect((await ask(statusUrl, { method: 'DELETE' })).status).to.equal(202)
    await expectRefused(404)
    await test.host.bulkExport.stop()
    expect((await expectRefused(503))['retry-after']).to.match(/^[1-9]\d*$/)
  })
})

function expectOutcome({ headers, text }: Pick<Answer, 'headers' | 'text'>): void {
  expect(headers['content-type']).to.equal('application/fhir+json')
  const { resourceType, issue } = JSON.parse(text)
  expect([resourceType, issue[0].severity], text).to.deep.equal(['OperationOutcome', 'error'])
}
