import { expect } from 'chai'
import { type AuthorizeOperator, ExportError, type HostProfile } from '../../plugin/index.js'
import { tabTo, useBrowser } from '../support/browser-pages.js'
import { useHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'
import { Gate } from '../support/protected-host.js'

const CREDENTIALS = { username: 'ada', password: 'lovelace' }
/** The browser asks for name and password. */
const authorize: AuthorizeOperator = ({ headers }) => {
  const expected = Buffer.from(`${CREDENTIALS.username}:${CREDENTIALS.password}`).toString('base64')
  if (headers['authorization'] === `Basic ${expected}`) return { id: CREDENTIALS.username }
  throw new ExportError(401, 'Name and password, please.', {
    code: 'login',
    challenge: 'Basic realm="exports"',
  })
}

describe("the operator's page in a browser, while exports run", function () {
  this.timeout(60_000)
  let gates: { readonly Patient: Gate; readonly Observation: Gate }
  const database = useDatabase()
  const browser = useBrowser()
  const test = useHost(database, () => {
    gates = { Patient: new Gate(), Observation: new Gate() }
    const gated = (type: 'Patient' | 'Observation'): HostProfile => ({
      service: {
        search: async () => {
          await gates[type].pass()
          return [{ resourceType: type, id: 'a' }]
        },
      },
      versions: ['4_0_0'],
    })
    return {
      profiles: { Patient: gated('Patient'), Observation: gated('Observation') },
      options: { workers: 1, operatorPage: { authorize } },
    }
  })
  afterEach(() => {
    gates.Patient.open()
    gates.Observation.open()
  })
  const list = () => `${test.host.base.replace('/4_0_0', '')}/exports`
  const open = (javaScriptEnabled = true) =>
    browser.open(list(), { httpCredentials: CREDENTIALS, javaScriptEnabled })
  const kickOff = async () => {
    const url = await test.host.client.kickOff('system', { _type: 'Patient,Observation' })
    return { url, id: String(url.split('/').at(-1)) }
  }

  it('shows an export that starts, goes on and ends, without being loaded again', async () => {
    const page = await open()
    await page.getByText('There are no exports.').waitFor()
    await page.evaluate('window.isStillThere = true')
    const { id } = await kickOff()
    const progress = page.getByRole('progressbar', { name: `Progress of export ${id.slice(0, 8)}` })
    await progress.waitFor()
    expect(await progress.getAttribute('value')).to.equal('0')
    gates.Patient.open()
    await gates.Observation.reached
    await page.locator('progress[value="50"]').waitFor()
    gates.Observation.open()
    await page.getByRole('row').filter({ hasText: 'Completed' }).getByText('2 resources').waitFor()
    expect(await page.evaluate('window.isStillThere')).to.equal(true)
  })

  it('lets one cancel an export with the keyboard alone, and keeps the focus while it is updated', async () => {
    const { id, url } = await kickOff()
    await gates.Patient.reached
    const page = await open()
    await tabTo(page, `cancel-${id}`)
    for (let updates = 0; updates < 2; updates += 1) await page.waitForResponse(list())
    expect(await page.evaluate('document.activeElement.id')).to.equal(`cancel-${id}`)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: `Cancel export ${id.slice(0, 8)}?` }).waitFor()
    await tabTo(page, 'confirm')
    await page.keyboard.press('Enter')
    await page.getByText('was cancelled').waitFor()
    expect((await fetch(url)).status).to.equal(404)
    expect(await database.db.collection('bulkexport.jobs').countDocuments()).to.equal(0)
  })

  it('does all of it without scripts', async () => {
    const { id } = await kickOff()
    const page = await open(false)
    expect(await page.getByRole('button', { name: 'updates' }).count()).to.equal(0)
    await page.getByRole('link', { name: 'Reload every 10 seconds' }).click()
    await page.getByRole('link', { name: id.slice(0, 8), exact: true }).click()
    await page.getByRole('link', { name: 'Cancel export' }).click()
    await page.getByRole('button', { name: 'Cancel export' }).click()
    await page.getByText('was cancelled').waitFor()
  })

  it('stops updates when told, and goes on', async () => {
    const page = await open()
    await page.getByRole('button', { name: 'Pause updates' }).click()
    const { id } = await kickOff()
    await page.getByRole('button', { name: 'Go on with updates' }).click()
    await page.getByText(id.slice(0, 8)).waitFor()
  })

  it('says so when the server cannot be asked, and is up to date again later', async () => {
    const page = await open()
    await browser.setOffline(true)
    await page.getByText('Not up to date').waitFor()
    await browser.setOffline(false)
    await page.getByText('Not up to date').waitFor({ state: 'hidden' })
  })
})
