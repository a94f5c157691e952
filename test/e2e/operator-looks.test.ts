import { expect } from 'chai'
import { barriers, DESKTOP, PHONE, useBrowser } from '../support/browser-pages.js'
import { useHost } from '../support/export-host.js'
import { manyExports } from '../support/many-exports.js'
import { useDatabase } from '../support/mongodb.js'

/** Long and hostile, as a client may call itself or a group. */
const HOSTILE = `"><img src=x onerror="window.broken=1"><script>window.broken=1</script>${'x'.repeat(200)}`

describe("the operator's page in a browser, full of exports", function () {
  this.timeout(60_000)
  const database = useDatabase()
  const browser = useBrowser()
  // Without workers, so that all stays as it is.
  const test = useHost(database, () => ({
    types: ['Patient'],
    options: { workers: 0, operatorPage: { authorize: () => ({ id: HOSTILE }) } },
  }))
  const list = () => `${test.host.base.replace('/4_0_0', '')}/exports`
  /** Gives the id of one that runs, fails and has hostile names. */
  const fill = async (count: number) => {
    const [, running = ''] = await manyExports(database.db, count, new Date())
    await database.db
      .collection<{ _id: string }>('bulkexport.jobs')
      .updateOne({ _id: running }, { $set: { groupId: HOSTILE, level: 'group', owner: HOSTILE } })
    return running
  }

  it('lists 100 old exports quickly, and updates them in place', async () => {
    await fill(100)
    const started = performance.now()
    const page = await browser.open(list())
    const ms = Math.round(performance.now() - started)
    expect(await page.getByRole('row').count()).to.equal(101)
    console.log(`      100 exports were there after ${ms} ms, the browser's start of a page included`)
    expect(ms).to.be.below(10_000)
    await page.evaluate("document.querySelector('tbody tr').isOld = true")
    await page.waitForResponse(list())
    await page.waitForResponse(list())
    expect(await page.evaluate("document.querySelector('tbody tr').isOld")).to.equal(true)
    expect(await page.getByRole('row').count()).to.equal(101)
  })

  it('takes no text of a client for more than text', async () => {
    const id = await fill(3)
    const page = await browser.open(list())
    for (const url of [list(), `${list()}/${id}`, `${list()}/${id}/cancel`]) {
      await page.goto(url)
      expect(await page.getByText('<script>window.broken=1</script>').count(), url).to.be.above(0)
      expect(await page.evaluate('window.broken')).to.equal(undefined)
      expect(await page.locator('main img, main script').count()).to.equal(0)
    }
  })

  for (const viewport of [DESKTOP, PHONE]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      it(`has nothing for axe to complain of, and fits: ${viewport.width} px, ${colorScheme}`, async () => {
        const id = await fill(8)
        const page = await browser.open(list(), { viewport, colorScheme })
        const pages = ['', `/${id}`, `/${id}/cancel`, '?state=failed', '?state=expired', '/nothing']
        for (const path of pages) {
          await page.goto(list() + path)
          expect(await barriers(page), path).to.deep.equal([])
          const width = await page.evaluate('document.documentElement.scrollWidth')
          expect(width, `width of ${path}`).to.be.at.most(viewport.width)
        }
      })
    }
  }
})
