import { expect } from 'chai'
import { parsePrefer } from '../../../plugin/fhir/preference.js'

const NEITHER = { respondAsync: false, lenient: false, separateStatus: false }
const ASYNC = { ...NEITHER, respondAsync: true }
const LENIENT = { ...NEITHER, lenient: true }
const BOTH = { ...ASYNC, lenient: true }
const SEPARATE = { ...ASYNC, separateStatus: true }

describe('parsePrefer', () => {
  const cases = [
    [undefined, NEITHER],
    ['', NEITHER],
    [',,;', NEITHER],
    ['respond-async', ASYNC],
    ['Respond-Async', ASYNC],
    ['handling=lenient', LENIENT],
    ['handling="lenient"', LENIENT],
    ['handling = lenient', LENIENT],
    ['HANDLING=LENIENT', LENIENT],
    ['handling=strict', NEITHER],
    ['handling', NEITHER],
    ['lenient', NEITHER],
    ['handling=lenientish', NEITHER],
    ['xhandling=lenient', NEITHER],
    ['respond-async, handling=lenient', BOTH],
    ['respond-async,handling=lenient', BOTH],
    ['handling=lenient, respond-async, wait=100', BOTH],
    // Real clients write this, although RFC 7240 has a comma there.
    ['respond-async; handling=lenient', BOTH],
    ['return=minimal, foo; bar=baz, respond-async', ASYNC],
    ['respond-async, respond-async', ASYNC],
    ['respond-async,separate-export-status', SEPARATE],
    ['Separate-Export-Status; handling=lenient, respond-async', { ...SEPARATE, lenient: true }],
    ['separate-export-status', { ...NEITHER, separateStatus: true }],
    ['respond-async, xseparate-export-status', ASYNC],
    ['respond-async, separate-export-status=no', ASYNC],
    // RFC 7240, 2: of a preference that is given more than once, the first counts.
    ['handling=strict, handling=lenient', NEITHER],
    ['handling=lenient, handling=strict', LENIENT],
  ] as const
  for (const [header, expected] of cases) {
    it(`reads ${JSON.stringify(header)}`, () => {
      expect(parsePrefer(header)).to.deep.equal(expected)
    })
  }
})
