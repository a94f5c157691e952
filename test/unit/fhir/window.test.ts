import { expect } from 'chai'
import fc from 'fast-check'
import { isWithinWindow } from '../../../plugin/fhir/window.js'

const observation = (lastUpdated: unknown) => ({
  resourceType: 'Observation',
  id: '1',
  meta: { lastUpdated },
})

const T1 = new Date('2024-01-01T10:00:00.000Z')
const T2 = new Date('2024-01-01T12:00:00.000Z')

describe('isWithinWindow [QP-20]', () => {
  const cases: readonly [string, unknown, boolean][] = [
    ['before since', '2024-01-01T09:59:59.999Z', false],
    ['at since', '2024-01-01T10:00:00Z', false],
    ['less than a millisecond after since', '2024-01-01T10:00:00.0009Z', false],
    ['after since', '2024-01-01T10:00:00.001Z', true],
    ['in another zone', '2024-01-01T13:30:00+02:00', true],
    ['in another zone, before since', '2024-01-01T11:30:00+02:00', false],
    ['at until', '2024-01-01T12:00:00.000Z', true],
    ['less than a millisecond after until', '2024-01-01T12:00:00.0009Z', true],
    ['after until', '2024-01-01T12:00:00.001Z', false],
    ['a Date within', new Date('2024-01-01T11:00:00Z'), true],
    ['a Date at since', T1, false],
    ['a Date at until', T2, true],
    ['a Date after until', new Date(T2.getTime() + 1), false],
  ]
  for (const [name, lastUpdated, expected] of cases) {
    it(`${name}: ${expected ? 'within' : 'outside'}`, () => {
      expect(isWithinWindow(observation(lastUpdated), { since: T1, until: T2 })).to.equal(expected)
    })
  }

  it('without since has no beginning', () => {
    expect(isWithinWindow(observation('1900-01-01T00:00:00Z'), { until: T2 })).to.equal(true)
    expect(isWithinWindow(observation('2024-01-01T12:00:00.001Z'), { until: T2 })).to.equal(false)
  })

  const unreadable: readonly [string, object][] = [
    ['no meta', { resourceType: 'Observation' }],
    ['no lastUpdated', { resourceType: 'Observation', meta: { versionId: '1' } }],
    ['null', observation(null)],
    ['a number', observation(1_704_106_800_000)],
    ['a date without a time', observation('2020-01-01')],
    ['a time without a zone', observation('2020-01-01T00:00:00')],
    ['nonsense', observation('yesterday')],
    ['an invalid Date', observation(new Date(Number.NaN))],
  ]
  for (const [name, resource] of unreadable) {
    it(`${name}: within every window, so that nothing is lost [QP-25]`, () => {
      const target = resource as Parameters<typeof isWithinWindow>[0]
      expect(isWithinWindow(target, { since: T1, until: T2 })).to.equal(true)
      expect(isWithinWindow(target, { until: new Date(0) })).to.equal(true)
    })
  }

  it('puts each resource into exactly one of the windows of consecutive exports', () => {
    const ms = fc.integer({ min: T1.getTime(), max: T1.getTime() + 20 })
    const finer = fc.stringMatching(/^\d{0,6}$/)
    fc.assert(
      fc.property(fc.uniqueArray(ms, { minLength: 1, maxLength: 6 }), ms, finer, (times, updated, digits) => {
        const until = [...times].sort((a, b) => a - b).map((time) => new Date(time))
        const text = new Date(updated).toISOString().replace('Z', `${digits}Z`)
        const found = [...until, new Date('2999-01-01T00:00:00Z')].filter((end, index) => {
          const since = until[index - 1]
          return isWithinWindow(observation(text), { until: end, ...(since ? { since } : {}) })
        })
        expect(found).to.have.lengthOf(1)
      }),
    )
  })
})
