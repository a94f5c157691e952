import { expect } from 'chai'
import fc from 'fast-check'
import { pollLimit } from '../../../plugin/http/poll-limit.js'

const BURST = 10

/** Polls of one job at these times; gives the answers. */
const polled = (interval: number, times: readonly number[]) => {
  const limit = pollLimit(interval)
  return times.map((now) => limit.poll('a', false, now))
}
const times = (count: number, every: number) => Array.from({ length: count }, (_, index) => index * every)

describe('pollLimit', () => {
  const cases: readonly [string, number, readonly number[], readonly (number | undefined)[]][] = [
    ['ten polls at once, and not the eleventh', 100, times(11, 0), [...Array(BURST).fill(undefined), 1]],
    ['polls at exactly the interval, for ever', 100, times(500, 100), Array(500).fill(undefined)],
    [
      'one more after the interval',
      100,
      [...times(BURST, 0), 99, 100, 100],
      [...Array(BURST).fill(undefined), 1, undefined, 1],
    ],
    [
      'as many again after a long pause, but no more',
      100,
      [...times(BURST, 0), ...times(11, 0).map(() => 1e9)],
      [...Array(2 * BURST).fill(undefined), 1],
    ],
    [
      'and says how many whole seconds to wait',
      2500,
      [...times(BURST, 0), 0, 400, 500, 501, 1500, 2500],
      [...Array(BURST).fill(undefined), 3, 3, 2, 2, 1, undefined],
    ],
    ['everything when it is off', 0, times(1000, 0), Array(1000).fill(undefined)],
  ]
  for (const [what, interval, at, expected] of cases) {
    it(`lets pass ${what}`, () => {
      expect(polled(interval, at)).to.deep.equal(expected)
    })
  }

  it('tells jobs apart, and a job that runs from the same one when it has ended', () => {
    const limit = pollLimit(100)
    for (let poll = 0; poll < BURST; poll += 1) expect(limit.poll('a', false, 0)).to.equal(undefined)
    expect(limit.poll('a', false, 0)).to.equal(1)
    expect(limit.poll('b', false, 0)).to.equal(undefined)
    for (let poll = 0; poll < BURST; poll += 1) expect(limit.poll('a', true, 0)).to.equal(undefined)
    expect(limit.poll('a', true, 0)).to.equal(1)
  })

  it('lets in no stretch of time more pass than ten and one for each interval', () => {
    const arbitrary = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 80 })
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 1, max: 300 }), (gaps, interval) => {
        let now = 0
        const at = gaps.map((gap) => {
          now += gap
          return now
        })
        const answers = polled(interval, at)
        const passed = at.filter((_, index) => answers[index] === undefined)
        passed.forEach((from, first) => {
          passed.slice(first).forEach((to, more) => {
            expect(more + 1).to.be.at.most(BURST + Math.floor((to - from) / interval))
          })
        })
        expect(answers.every((wait) => wait === undefined || (Number.isInteger(wait) && wait >= 1))).to.equal(
          true,
        )
      }),
    )
  })

  it('lets whoever waits as long as it is told pass, whatever was asked before', () => {
    const arbitrary = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 20, maxLength: 60 })
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 1, max: 5000 }), (gaps, interval) => {
        const limit = pollLimit(interval)
        let now = 0
        for (const gap of gaps) {
          now += gap
          const wait = limit.poll('a', false, now)
          if (wait === undefined) continue
          now += wait * 1000
          expect(limit.poll('a', false, now)).to.equal(undefined)
        }
      }),
    )
  })

  it('forgets jobs that nobody asks for any more, and none that must wait', () => {
    const limit = pollLimit(100)
    for (let poll = 0; poll < BURST; poll += 1) limit.poll('busy', false, 0)
    for (let job = 0; job < 5000; job += 1) limit.poll(`job ${job}`, job % 2 === 0, 0)
    expect(limit.size).to.equal(5001)
    for (let job = 0; job < 5000; job += 1) limit.poll(`other ${job}`, true, 200)
    expect(limit.size).to.be.below(10_000)
    const answers = [1, 2, 3].map(() => limit.poll('busy', false, 200))
    expect(answers).to.deep.equal([undefined, undefined, 1])
    for (let job = 0; job < 100_000; job += 1) limit.poll(`later ${job}`, true, 1000 + job)
    expect(limit.size).to.be.below(2000)
  })
})
