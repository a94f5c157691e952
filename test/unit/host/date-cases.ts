import type { SearchCase } from './search-case.js'

// Worked out by hand from FHIR R4, "Search", date. A stored date and a searched one each stand for a range.

export const dateCases: readonly SearchCase[] = [
  {
    title: 'date on all forms of a choice, precisions and time zones',
    type: 'Observation',
    resources: {
      a: { effectiveDateTime: '2013-01-14' },
      b: { effectiveDateTime: '2013-01-14T10:00:00Z' },
      c: { effectiveDateTime: '2013-01-14T23:30:00-05:00' }, // 15 January, 04:30 UTC
      d: { effectiveDateTime: '2013-01' },
      e: { effectiveDateTime: '2013' },
      f: { effectiveDateTime: '2013-01-15T00:00:00.000Z' },
      g: { effectivePeriod: { start: '2013-01-13', end: '2013-01-14T12:00:00Z' } },
      h: { effectivePeriod: { start: '2013-01-20' } },
      i: { effectivePeriod: { end: '2013-01-10' } },
      j: { effectiveInstant: '2013-01-14T10:00:00.500+01:00' }, // 09:00 UTC
      k: { effectiveTiming: { event: ['2013-01-16T08:00:00Z', '2013-01-14T08:00:00Z'] } },
      l: {},
      m: { effectiveDateTime: 'unknown', effectivePeriod: {} },
      n: { effectiveDateTime: '2013-01-14T00:30:00+14:00' }, // 13 January, 10:30 UTC
    },
    searches: {
      'date=2013-01-14': 'a b j',
      'date=eq2013-01-14': 'a b j',
      'date=ne2013-01-14': 'c d e f g h i k n',
      'date=gt2013-01-14': 'c d e f h k',
      'date=ge2013-01-14': 'a b c d e f h j k',
      'date=lt2013-01-14': 'd e g i n',
      'date=le2013-01-14': 'a b d e g i j n',
      'date=sa2013-01-14': 'c f h',
      'date=eb2013-01-14': 'i n',
      'date=2013-01': 'a b c d f g j k n',
      'date=2013': 'a b c d e f g j k n',
      'date=sa2012': 'a b c d e f g h j k n',
      'date=eb2014': 'a b c d e f g i j k n',
      'date=2013-01-14T10:00:00Z': 'b',
      'date=2013-01-14T10:00Z': 'b',
      'date=2013-01-14T10:00:00': 'b',
      'date=2013-01-15T04:30:00Z': 'c',
      'date=2013-01-14T23:30:00-05:00': 'c',
      'date=gt2013-01-14T10:00:00Z': 'a c d e f g h k',
      'date=lt2013-01-14T10:00:00Z': 'a d e g i j k n',
      // A `+` that was not encoded in the URL arrives as a space.
      'date=gt2013-01-14T10:00:00 05:00': 'a b c d e f g h j k',
      'date=2013-01-14,2013-01-15': 'a b c f j',
      'date=le2013-01-10,sa2013-01-19': 'd e h i',
      'date:missing=true': 'l',
      'date=ge2013-01-15&subject:missing=true': 'c d e f h k',
    },
  },
  {
    title: 'date where the text of a date is around the limits of what its time zone may mean',
    type: 'Patient',
    resources: {
      a: { meta: { lastUpdated: '2024-01-01T00:00:00.000Z' } },
      b: { meta: { lastUpdated: '2024-01-01T00:00:00.500Z' } },
      c: { meta: { lastUpdated: '2023-12-31T19:00:00-05:00' } }, // the second from midnight UTC
      d: { meta: { lastUpdated: '2024-01-01T05:29:59.999+05:30' } }, // a millisecond to midnight UTC
      e: { meta: { lastUpdated: '2024-01-01T14:00:00.000+14:00' } }, // midnight UTC
      f: { meta: { lastUpdated: '2023-12-31T12:00:00.001-12:00' } }, // a millisecond past midnight UTC
      g: { meta: { lastUpdated: '2024-06-01T00:00:00.000Z' } },
      h: { meta: {} },
      i: { meta: { lastUpdated: '2023-01-01T00:00:00.000Z' } },
    },
    searches: {
      '_lastUpdated=gt2024-01-01T00:00:00.000Z': 'b c f g',
      '_lastUpdated=ge2024-01-01T00:00:00.000Z': 'a b c e f g',
      '_lastUpdated=lt2024-01-01T00:00:00.000Z': 'd i',
      '_lastUpdated=le2024-01-01T00:00:00.000Z': 'a d e i',
      '_lastUpdated=2024-01-01T00:00:00Z': 'a b c e f',
      '_lastUpdated=gt2024-01-01T00:00:00Z': 'g',
      '_lastUpdated=2023': 'd i',
      '_lastUpdated=2023-12-31': 'd',
      '_lastUpdated=ge2024': 'a b c e f g',
      '_lastUpdated=lt1900': '',
      '_lastUpdated=gt9999': '',
      '_lastUpdated=le9999': 'a b c d e f g i',
      '_lastUpdated=ge0000': 'a b c d e f g i',
      '_lastUpdated:missing=true': 'h',
    },
  },
  {
    title: 'date inside lists, met by one entry',
    type: 'Encounter',
    resources: {
      a: {
        location: [{ period: { start: '2010', end: '2010' } }, { period: { start: '2014', end: '2014' } }],
      },
      b: { location: [{ period: { start: '2012-02', end: '2012-03' } }, {}] },
      c: { location: [{ period: { start: '2011', end: '2013' } }] },
      d: { location: { period: { start: '2012', end: '2012' } } },
      e: {},
    },
    searches: {
      // `d` is not as FHIR has it: its location is no list. Searches must not fail on it.
      'location-period=2012': 'b d',
      'location-period=gt2013': 'a',
      'location-period=lt2011': 'a',
      'location-period=sa2010': 'a b c d',
      'location-period=eb2011': 'a',
    },
  },
  {
    title: 'date on lists of dates in lists',
    type: 'MedicationRequest',
    resources: {
      a: { dosageInstruction: [{ timing: { event: ['2020-01-01', '2020-03-01'] } }] },
      b: { dosageInstruction: [{}, { timing: { event: ['2020-02-01T00:00:00Z'] } }] },
      c: { dosageInstruction: [{ timing: {} }] },
    },
    searches: {
      'date=2020-02': 'b',
      'date=2020-03': 'a',
      'date=gt2020-02-15': 'a',
      'date=lt2020-02': 'a',
      'date=ge2020-02-01': 'a b',
      'date:missing=true': 'c',
    },
  },
]
