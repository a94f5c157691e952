import { expect } from 'chai'
import type { TestHost } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { ask, kickOff, manifestOf, startProtectedHost, useOAuthServer } from '../support/protected-host.js'

const CONTENT = Buffer.from('a letter').toString('base64')
const attachment = { contentType: 'text/plain', url: 'Binary/b1' }
const RESOURCES = [
  { resourceType: 'Patient', id: 'p1' },
  { resourceType: 'Binary', id: 'b1', contentType: 'text/plain', data: CONTENT },
  {
    ...{ resourceType: 'DocumentReference', id: 'd1', status: 'current' },
    ...{ subject: { reference: 'Patient/p1' }, content: [{ attachment }] },
  },
]

describe('the URL of an attachment, on a host with SMART', () => {
  const oauth = useOAuthServer(['client-a'])
  const database = useSuiteDatabase()
  let host: TestHost
  before('start a host', async () => {
    host = await startProtectedHost(database, { resources: RESOURCES })
  })
  after('close the host', () => host?.close())

  it('opens with the token that opens the files, and not without [FL-43]', async () => {
    const token = await oauth.token('client-a', 'system/*.read')
    const statusUrl = await kickOff(host, { token }, 'Patient/$export?_type=DocumentReference')
    const { output, requiresAccessToken } = await manifestOf(host, statusUrl, { token })
    expect(requiresAccessToken).to.equal(true)
    const [line = ''] = (await ask(output[0]?.url ?? '', { token })).text.split('\n')
    const { url } = JSON.parse(line).content[0].attachment
    expect(url).to.equal(`${host.base}/Binary/b1`)
    const opened = await ask(url, { token })
    expect([opened.status, JSON.parse(opened.text).data]).to.deep.equal([200, CONTENT])
    expect((await ask(url)).status).to.equal(401)
  })
})
