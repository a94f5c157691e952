import { expect } from 'chai'
import fc from 'fast-check'
import { BSON } from 'mongodb'
import type { Resource } from '../../../plugin/fhir/resource.js'
import { isWithinWindow, type Window } from '../../../plugin/fhir/window.js'
import { ResourceHead } from '../../../plugin/search/scan-head.js'
import { ScanWindow } from '../../../plugin/search/scan-window.js'

const MIDDLE = Date.parse('2024-02-29T12:00:00.000Z')
const near = fc.integer({ min: -3, max: 3 }).map((seconds) => new Date(MIDDLE + seconds * 1000))
const zone = fc.constantFrom('Z', '+00:00', '+02:00', '-11:30', '+14:00', '+99:00', '')
const fraction = fc.constantFrom('', '.5', '.500', '.000', '.999', '.1234567', '.')
const digits = (count: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: count, maxLength: count })
/** Times near the bounds in all ways to write them, and what only looks like one. */
const text = fc.oneof(
  near.map((time) => time.toISOString()),
  fc
    .tuple(near, fraction, zone)
    .map(([time, part, offset]) => `${time.toISOString().slice(0, 19)}${part}${offset}`),
  fc
    .tuple(digits(4), digits(2), digits(2), digits(2), digits(2), digits(2))
    .map(
      ([year, month, day, hour, minute, second]) => `${year}-${month}-${day}T${hour}:${minute}:${second}Z`,
    ),
  fc.constantFrom(
    '',
    'yesterday',
    '2024',
    '2024-02-30T00:00:00Z',
    '2024-02-29T12:00:60Z',
    '2024-02-29T12:0a:00Z',
  ),
  fc.constantFrom(
    '0000-01-01T00:00:00Z',
    '0999-12-31T23:59:59.999Z',
    '2024-02-29t12:00:00Z',
    '2024-02-29T24:00:00Z',
  ),
  fc.string(),
)
const lastUpdated = fc.oneof(text, near, fc.constantFrom(null, 5, true, {}, []))
const meta = fc.oneof(
  lastUpdated.map((value) => ({ meta: { versionId: '1', lastUpdated: value } })),
  fc.constantFrom<object>({}, { meta: null }, { meta: 'x' }, { meta: [] }, { meta: {} }),
)
const bound = fc.option(near, { nil: undefined })

describe('ScanWindow', () => {
  it('tells from bytes what isWithinWindow tells from objects', () => {
    fc.assert(
      fc.property(meta, bound, bound, near, (fields, since, before, until) => {
        const window: Window = { until, ...(since ? { since } : {}), ...(before ? { before } : {}) }
        const resource = { resourceType: 'Patient', id: 'p', ...fields }
        const bytes = Buffer.from(BSON.serialize(resource))
        const read = BSON.deserialize(bytes) as Resource
        const head = new ResourceHead()
        head.read(bytes)
        expect(new ScanWindow(window).includes(head.lastUpdated)).to.equal(isWithinWindow(read, window))
      }),
      { numRuns: 20_000 },
    )
  })
})
