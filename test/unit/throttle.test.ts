import { expect } from 'chai'
import { Throttle, throttled } from '../../plugin/jobs/throttle.js'

const NEVER = new AbortController().signal

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

describe('a limit on what is written in a second', () => {
  const cases = [
    { rate: { resources: 1000 }, written: { resources: 100, bytes: 1e9 }, least: 100 },
    { rate: { bytes: 1_000_000 }, written: { resources: 1e9, bytes: 120_000 }, least: 120 },
    { rate: { resources: 1000, bytes: 1_000_000 }, written: { resources: 50, bytes: 150_000 }, least: 150 },
    { rate: { resources: 1000, bytes: 1_000_000 }, written: { resources: 150, bytes: 50_000 }, least: 150 },
  ]
  for (const { rate, written, least } of cases) {
    it(`makes ${JSON.stringify(written)} take its time at ${JSON.stringify(rate)}`, async () => {
      const throttle = new Throttle(rate)
      // A timer may be a ms early.
      expect(await elapsed(() => throttle.pass(written, NEVER))).to.be.at.least(least - 2)
    })
  }

  it('counts what all write together', async () => {
    const throttle = new Throttle({ resources: 1000 })
    const pass = () => throttle.pass({ resources: 50, bytes: 0 }, NEVER)
    expect(await elapsed(() => Promise.all([pass(), pass(), pass()]))).to.be.at.least(148)
  })

  it('saves nothing up while nobody writes', async () => {
    let now = 0
    const throttle = new Throttle({ resources: 1000 }, () => now)
    await throttle.pass({ resources: 10, bytes: 0 }, NEVER)
    now = 60_000
    expect(await elapsed(() => throttle.pass({ resources: 80, bytes: 0 }, NEVER))).to.be.at.least(78)
  })

  it('ends a pause with the reason of the signal', async () => {
    const throttle = new Throttle({ resources: 1000 })
    const stop = new AbortController()
    const pause = throttle.pass({ resources: 1e9, bytes: 0 }, stop.signal)
    const reason = new Error('stopped')
    stop.abort(reason)
    expect(await pause.catch((error: unknown) => error)).to.equal(reason)
  })

  it('lets the same lines through, counted as they come', async () => {
    const size = { resources: 0, bytes: 0 }
    async function* lines() {
      for (const resources of [20, 70, 100]) {
        size.resources = resources
        yield Buffer.from(`${resources}\n`)
      }
    }
    const throttle = new Throttle({ resources: 1000 })
    const came: string[] = []
    const time = await elapsed(async () => {
      for await (const line of throttled(lines(), size, throttle, NEVER)) came.push(String(line))
    })
    expect(came).to.deep.equal(['20\n', '70\n', '100\n'])
    expect(time).to.be.at.least(98)
  })
})
