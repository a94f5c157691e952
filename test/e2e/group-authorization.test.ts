import { expect } from 'chai'
import { type Authorize, ExportError } from '../../plugin/index.js'
import { startHost, type TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import {
  type Asked,
  ask,
  expectRefusal,
  kickOff,
  startProtectedHost,
  useOAuthServer,
} from '../support/protected-host.js'

const groupOf = (id: string) => ({
  ...{ resourceType: 'Group', id, type: 'person', actual: true },
  member: [{ entity: { reference: 'Patient/p1' } }],
})
const RESOURCES = [{ resourceType: 'Patient', id: 'p1' }, groupOf('mine'), groupOf('theirs')]
const GROUP_EXPORT = 'Group/mine/$export'
const POST: Asked = { body: { resourceType: 'Parameters' } }

describe('the export of a Group that the client may not read', () => {
  const oauth = useOAuthServer(['client'])
  const databases = { demanding: useSuiteDatabase(), usual: useSuiteDatabase() }
  let demanding: TestHost
  let usual: TestHost
  before('start hosts', async () => {
    const resources = RESOURCES
    const options = { workers: 0, maxRunningExportsPerClient: 100 }
    usual = await startProtectedHost(databases.usual, { resources, options })
    demanding = await startProtectedHost(databases.demanding, {
      ...{ resources, options: { ...options, requireGroupRead: true } },
    })
  })
  after('close the hosts', async () => {
    await usual?.close()
    await demanding?.close()
  })
  const withScope = async (scope: string) => ({ token: await oauth.token('client', scope) })

  for (const scope of ['system/Patient.rs', 'system/Patient.read', 'system/Patient.rs user/Group.rs']) {
    it(`is 403 with requireGroupRead and ${scope} [GR-05]`, async () => {
      const client = await withScope(scope)
      for (const path of [GROUP_EXPORT, `${GROUP_EXPORT}?_type=Patient`, 'Group/nowhere/$export']) {
        for (const asked of [client, { ...client, ...POST }]) {
          const answer = await ask(`${demanding.base}/${path}`, asked)
          expect(expectRefusal(answer, 403, 'forbidden', path)).to.match(/\bGroup\b/)
        }
      }
      await kickOff(demanding, client, 'Patient/$export')
      await kickOff(demanding, client, '$export?_type=Patient')
    })
    it(`is accepted without the option and with ${scope}`, async () => {
      await kickOff(usual, await withScope(scope), GROUP_EXPORT)
    })
  }

  for (const scope of [
    'system/Patient.rs system/Group.rs',
    'system/Patient.read system/Group.read',
    'system/*.rs',
  ]) {
    it(`is one that it may with ${scope}, and accepted with requireGroupRead [GR-05]`, async () => {
      const client = await withScope(scope)
      await kickOff(demanding, client, GROUP_EXPORT)
      await kickOff(demanding, { ...client, ...POST }, `${GROUP_EXPORT}?_type=Patient`)
    })
  }
})

describe('the export of a Group that a rule of the host forbids', () => {
  const database = useSuiteDatabase()
  let host: TestHost
  let forbidden = new ExportError(403, 'Not your group.', { code: 'forbidden' })
  /** As the README has it. */
  const authorize: Authorize = async ({ kickOff }) => {
    if (kickOff && kickOff.groupId !== 'mine') throw forbidden
    return { clientId: 'me', types: 'all' }
  }
  before('start a host', async () => {
    host = await startHost(database, { resources: RESOURCES, options: { workers: 0, authorize } })
  })
  after('close the host', () => host?.close())

  const paths = [
    ...['Group/theirs/$export', 'Group/theirs/%24export', 'Group/theirs/$export/', 'Group/their%73/$export'],
    ...['Group/nowhere/$export', 'Group/theirs/$export?_type=Patient&x=/Group/mine/$export'],
    ...['$export', 'Patient/$export', 'Patient/%24export?/Group/mine/$export'],
  ]
  for (const [status, code] of [[403, 'forbidden'] as const, [404, 'not-found'] as const]) {
    it(`is ${status} when the rule says so, in whatever form it is asked for [GR-06]`, async () => {
      forbidden = new ExportError(status, 'Not your group.', { code })
      for (const path of paths) {
        for (const asked of [{}, POST]) {
          expectRefusal(await ask(`${host.base}/${path}`, asked), status, code, path)
        }
      }
    })
  }

  it('leaves the other Groups as they are [GR-06]', async () => {
    for (const path of [GROUP_EXPORT, 'Group/min%65/%24export']) {
      const statusUrl = await kickOff(host, POST, path)
      expect((await ask(statusUrl)).status, path).to.equal(202)
    }
  })
})
