import { expect } from 'chai'
import * as fc from 'fast-check'
import { doneFraction, secondsLeft, speedOf } from '../../../plugin/http/operator-figures.js'
import { percentOf } from '../../../plugin/http/operator-progress.js'
import { bytesText, durationText, numberText, ownerText } from '../../../plugin/http/operator-text.js'
import { KEPT_CHECKPOINTS } from '../../../plugin/jobs/task-record.js'
import { ago, NOW, part } from './operator-views.js'

describe('how much of an export is done', () => {
  const cases: readonly (readonly [
    what: string,
    parts: Parameters<typeof doneFraction>[0],
    expected: number,
  ])[] = [
    ['nothing is planned', [], 0],
    ['nothing is done', [part({ waiting: 3, running: 1 })], 0],
    ['a task is under way, and none tells how many resources to expect', [part({ running: 1 }, [0, 500])], 0],
    ['one of four tasks is done', [part({ done: 1, waiting: 3 }, [100, 0])], 0.25],
    ['one of two is done, and the other has half as much', [part({ done: 1, running: 1 }, [100, 50])], 0.75],
    ['the other has more than the first', [part({ done: 1, running: 1 }, [100, 900])], 0.95],
    ['types without resources are done', [part({ done: 1 }), part({ done: 1 })], 1],
    ['two types', [part({ done: 1 }, [10, 0]), part({ waiting: 1 })], 0.5],
  ]
  for (const [what, parts, expected] of cases) {
    it(`is ${expected} when ${what}`, () => {
      expect(doneFraction(parts)).to.be.closeTo(expected, 1e-9)
    })
  }

  it('is between nothing and all, and less than 100 percent while anything is to do', () => {
    const count = fc.nat({ max: 20 })
    fc.assert(
      fc.property(fc.array(fc.tuple(count, count, count, fc.nat(), fc.nat())), (parts) => {
        const progress = parts.map(([done, running, waiting, of, more]) =>
          part({ done, running, waiting }, [of, more]),
        )
        expect(doneFraction(progress)).to.be.within(0, 1)
        expect(percentOf(progress)).to.be.within(0, 99)
      }),
    )
  })
})

describe('the speed of an export', () => {
  const startedAt = ago(100)
  const at = (seconds: number, resources = 1000) => ({ at: ago(seconds), resources })
  const cases: readonly (readonly [
    what: string,
    lately: ReturnType<typeof at>[] | undefined,
    expected: number | undefined,
  ])[] = [
    ['there was no checkpoint', undefined, undefined],
    ['the first checkpoint has come since the start', [at(40)], 10],
    [
      'all that came in the last minute counts from the last mark before',
      [at(80, 5000), at(60), at(30), at(10)],
      2000 / 60,
    ],
    ['checkpoints are rare', [at(90), at(80)], 1000 / 90],
  ]
  for (const [what, lately, expected] of cases) {
    it(`is ${expected?.toFixed(2) ?? 'unknown'} when ${what}`, () => {
      const speed = speedOf({ status: 'running', startedAt, ...(lately && { lately }) }, NOW)
      if (expected === undefined) expect(speed).to.equal(undefined)
      else expect(speed).to.be.closeTo(expected, 1e-9)
    })
  }

  it('does not count from the start when the first checkpoints are forgotten', () => {
    const lately = Array.from({ length: KEPT_CHECKPOINTS }, (_, index) => at(KEPT_CHECKPOINTS - index))
    const speed = speedOf({ status: 'running', startedAt, lately }, NOW)
    expect(speed).to.be.closeTo((1000 * (KEPT_CHECKPOINTS - 1)) / KEPT_CHECKPOINTS, 1e-9)
  })

  it('is told of exports that run only', () => {
    for (const status of ['accepted', 'completed', 'failed', 'cancelled', 'expired'] as const) {
      expect(speedOf({ status, startedAt, lately: [at(10)] }, NOW), status).to.equal(undefined)
    }
  })

  it('is that of an even export, whenever one looks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 200 }), (every, count) => {
        const lately = Array.from({ length: count }, (_, index) =>
          at((count - 1 - index) * every, 500 * every),
        )
        const begun = { status: 'running', startedAt: ago(count * every) } as const
        const speed = speedOf({ ...begun, lately: lately.slice(-KEPT_CHECKPOINTS) }, NOW)
        if (speed !== undefined) expect(speed).to.be.closeTo(500, 1e-6)
      }),
    )
  })
})

describe('the time left of an export', () => {
  const cases: readonly (readonly [
    what: string,
    parts: Parameters<typeof secondsLeft>[0],
    expected: number | undefined,
  ])[] = [
    ['nothing is planned', [], undefined],
    [
      'a type has no task that is done',
      [part({ done: 1 }, [100, 0]), part({ running: 1 }, [0, 70])],
      undefined,
    ],
    ['three of four tasks are to do', [part({ done: 1, waiting: 3 }, [100, 0])], 30],
    ['some of it is there', [part({ done: 1, running: 2, waiting: 1 }, [100, 120])], 18],
    ['more came than was expected', [part({ done: 1, running: 1 }, [100, 500])], 0],
    [
      'only the notes are to do',
      [part({ done: 1 }, [100, 0]), part({ waiting: 1 }, [0, 0], { kind: 'notes' })],
      0,
    ],
  ]
  for (const [what, parts, expected] of cases) {
    it(`is ${expected ?? 'unknown'} at 10 resources a second when ${what}`, () => {
      expect(secondsLeft(parts, 10)).to.equal(expected)
    })
  }

  it('is unknown without a speed', () => {
    for (const speed of [undefined, 0]) {
      expect(secondsLeft([part({ done: 1, waiting: 1 }, [5, 0])], speed)).to.equal(undefined)
    }
  })
})

describe('figures in words', () => {
  const cases: readonly (readonly [string, string])[] = [
    [durationText(0), '0 s'],
    [durationText(59.6), '1 min'],
    [durationText(3725), '1 h 2 min'],
    [durationText(90_061), '1 d 1 h'],
    [durationText(86_405), '1 d'],
    [durationText(-5), '0 s'],
    [bytesText(0), '0 B'],
    [bytesText(1023), '1023 B'],
    [bytesText(1536), '1.5 KiB'],
    [bytesText(150 * 1024 ** 3), '150 GiB'],
    [numberText(1234567.4), '1,234,567'],
    [ownerText(undefined), 'anybody'],
    [ownerText('{"a":1}'), '{"a":1}'],
    [ownerText('[1,2]'), '[1,2]'],
    [ownerText('["https://i","app","ada"]'), 'app · ada'],
    [ownerText('[null,"app","app"]'), 'app'],
    [ownerText('[null,null,null]'), '[null,null,null]'],
  ]
  for (const [found, expected] of cases) {
    it(expected, () => {
      expect(found).to.equal(expected)
    })
  }
})
