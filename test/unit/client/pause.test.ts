import { expect } from 'chai'
import { backOff, pause, retryAfter } from '../../../scripts/client/pause.js'

const NOW = Date.parse('2026-02-28T23:59:50Z')

describe('retryAfter', () => {
  const table: readonly (readonly [header: string, ms: number | undefined])[] = [
    ['0', 0],
    ['7', 7000],
    ['1.5', 1500],
    ['Sun, 01 Mar 2026 00:00:00 GMT', 10_000],
    ['Sun, 01 Mar 2020 00:00:00 GMT', 0],
    ['Sun, 01 Mar 2099 00:00:00 GMT', 3_600_000],
    ['99999999', 3_600_000],
    ['soon', undefined],
    ['', undefined],
  ]
  for (const [header, ms] of table) {
    it(`reads "${header}" as ${ms} ms`, () => {
      expect(retryAfter(new Headers({ 'Retry-After': header }), NOW)).to.equal(ms)
    })
  }

  it('is undefined where a server does not say', () => {
    expect(retryAfter(new Headers(), NOW)).to.equal(undefined)
  })
})

describe('pauses', () => {
  it('double from half a second up to 30 s', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8, 100].map(backOff)
    expect(pauses).to.deep.equal([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('end at once with the reason of the signal', async () => {
    const reason = new Error('enough')
    const stop = new AbortController()
    const ended = pause(60_000, stop.signal).catch((error: unknown) => error)
    stop.abort(reason)
    expect(await ended).to.equal(reason)
  })
})
