import { expect } from 'chai'
import fc from 'fast-check'
import { parseInstant } from '../../../plugin/fhir/instant.js'

const two = (value: number) => String(value).padStart(2, '0')

/** The parts of an instant as R4 writes them; days up to 28 exist in every month. */
const instants = fc.record({
  year: fc.integer({ min: 1000, max: 9999 }),
  month: fc.integer({ min: 1, max: 12 }),
  day: fc.integer({ min: 1, max: 28 }),
  hour: fc.integer({ min: 0, max: 23 }),
  minute: fc.integer({ min: 0, max: 59 }),
  second: fc.integer({ min: 0, max: 59 }),
  fraction: fc.option(fc.stringMatching(/^\d{1,9}$/), { nil: undefined }),
  offset: fc.option(
    fc.record({
      sign: fc.constantFrom(1, -1),
      hours: fc.integer({ min: 0, max: 13 }),
      minutes: fc.integer({ min: 0, max: 59 }),
    }),
    { nil: undefined },
  ),
})

describe('parseInstant', () => {
  it('reads every instant to the millisecond', () => {
    fc.assert(
      fc.property(instants, ({ year, month, day, hour, minute, second, fraction, offset }) => {
        const zone = offset
          ? `${offset.sign < 0 ? '-' : '+'}${two(offset.hours)}:${two(offset.minutes)}`
          : 'Z'
        const text = `${year}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(second)}${
          fraction === undefined ? '' : `.${fraction}`
        }${zone}`
        const ms = Math.floor(Number(`0.${fraction ?? '0'}`.slice(0, 5)) * 1000 + 1e-6)
        const ahead = offset ? offset.sign * (offset.hours * 60 + offset.minutes) : 0
        const expected = Date.UTC(year, month - 1, day, hour, minute, second, ms) - ahead * 60_000
        expect(parseInstant(text)?.getTime(), text).to.equal(expected)
      }),
    )
  })

  it('knows the length of every month', () => {
    for (let month = 1; month <= 12; month += 1) {
      for (const year of [2023, 2024, 1900, 2000]) {
        // Day 0 of a month is the last day of the month before.
        const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
        const at = (day: number) => parseInstant(`${year}-${two(month)}-${two(day)}T12:00:00Z`)
        expect(at(length)?.toISOString()).to.equal(`${year}-${two(month)}-${length}T12:00:00.000Z`)
        expect(at(length + 1), `${year}-${month}-${length + 1}`).to.equal(undefined)
      }
    }
  })

  const readable = [
    ['2024-01-31T00:00:00Z', '2024-01-31T00:00:00.000Z'],
    ['2024-01-31T00:00:00.5+02:00', '2024-01-30T22:00:00.500Z'],
    ['2024-01-31T10:00:00+14:00', '2024-01-30T20:00:00.000Z'],
    ['2024-01-31T10:00:00-00:00', '2024-01-31T10:00:00.000Z'],
    // Cut off, never rounded up: that would be a moment which had not come yet.
    ['2024-01-31T10:00:00.9999999Z', '2024-01-31T10:00:00.999Z'],
    // A `+` that was not encoded in a URL.
    ['2024-01-31T10:00:00 02:00', '2024-01-31T08:00:00.000Z'],
    ['  2024-01-31T10:00:00Z ', '2024-01-31T10:00:00.000Z'],
    // R4 datatypes, instant: the seconds may be 60. A leap second is followed by the next minute.
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ] as const
  for (const [text, expected] of readable) {
    it(`reads ${JSON.stringify(text)}`, () => {
      expect(parseInstant(text)?.toISOString()).to.equal(expected)
    })
  }

  const refused = [
    '',
    'now',
    '2024',
    '2024-01',
    '2024-01-31',
    '2024-01-31T10:00Z',
    '2024-01-31T10:00:00',
    '2024-01-31 10:00:00Z',
    '2024-01-31t10:00:00z',
    '20240131T100000Z',
    '2024-1-31T10:00:00Z',
    '2024-00-10T10:00:00Z',
    '2024-13-10T10:00:00Z',
    '2024-01-00T10:00:00Z',
    '2024-02-30T10:00:00Z',
    '2023-02-29T10:00:00Z',
    '2024-01-31T24:00:00Z',
    '2024-01-31T10:60:00Z',
    '2024-01-31T10:00:61Z',
    '2024-01-31T10:00:00.Z',
    '2024-01-31T10:00:00,5Z',
    '2024-01-31T10:00:00+02',
    '2024-01-31T10:00:00+0200',
    '2024-01-31T10:00:00+14:01',
    '2024-01-31T10:00:00+15:00',
    '2024-01-31T10:00:00+02:60',
    '2024-01-31T10:00:00  02:00',
    '2024-01-31T10:00:00Z2024-01-31T10:00:00Z',
    '2024-01-31T10:00:00Z\n2024-01-31T10:00:00Z',
    '+002024-01-31T10:00:00Z',
    'gt2024-01-31T10:00:00Z',
    '1706695200000',
  ]
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseInstant(text)).to.equal(undefined)
    })
  }
})
