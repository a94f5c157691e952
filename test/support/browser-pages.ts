import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { openBrowser } from './browser.js'
import { openOrSkip } from './real-server.js'

/** The size of a page, in CSS pixels. */
export const DESKTOP = { width: 1280, height: 900 }
export const PHONE = { width: 320, height: 640 }

/** In ms. */
const PATIENCE = 15_000

/** Pages of a real browser. */
export interface BrowserPages {
  /** A page of somebody who has no other, with nothing in its cache. */
  open(url: string, options?: BrowserContextOptions): Promise<Page>
  /** Takes the network away from all pages, or gives it back. */
  setOffline(isOffline: boolean): Promise<void>
}

/**
 * Call inside a `describe`, above its hooks: a browser for all its tests, which are skipped where there is none. A test
 * fails when a script of its pages fails, or when their policy refuses something.
 */
export function useBrowser(): BrowserPages {
  let browser: Browser | undefined
  let contexts: BrowserContext[] = []
  let problems: string[] = []
  before('start a browser', async function () {
    browser = await openOrSkip(this, openBrowser)
  })
  after('close the browser', () => browser?.close())
  beforeEach(() => {
    contexts = []
    problems = []
  })
  afterEach('close pages', async () => {
    for (const context of contexts) await context.close()
    expect(problems, 'errors of pages').to.deep.equal([])
  })
  return {
    async open(url, options) {
      if (browser === undefined) throw new Error('useBrowser() is for hooks and tests, not for describe()')
      const context = await browser.newContext({ viewport: DESKTOP, ...options })
      contexts.push(context)
      const page = await context.newPage()
      page.setDefaultTimeout(PATIENCE)
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => {
        const isOfStatus = message.text().startsWith('Failed to load resource')
        if (message.type() === 'error' && !isOfStatus) problems.push(message.text())
      })
      await page.goto(url)
      return page
    },
    async setOffline(isOffline) {
      for (const context of contexts) await context.setOffline(isOffline)
    },
  }
}

/** Presses Tab until what is focused has this id, as someone without a mouse does. */
export async function tabTo(page: Page, id: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab')
    if ((await page.evaluate('document.activeElement.id')) === id) return
  }
  throw new Error(`Tab does not lead to ${id}.`)
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

/** What axe finds that keeps people from using a page, with where it is. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(await readFile(AXE, 'utf8'))
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .map(({ html }) => html)
        .join(' ')
        .slice(0, 500)}`,
  )
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
