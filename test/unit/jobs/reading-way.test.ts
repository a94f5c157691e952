import { expect } from 'chai'
import {
  ALL,
  cohortReading,
  demandOf,
  readingDespite,
  readingOf,
  readingsByWay,
} from '../../../plugin/jobs/reading-way.js'

const filtered = { ...ALL, isFiltered: true }
const associated = { ...ALL, isAssociated: true }
const both = ['exportQuery', 'collections'] as const

describe('how a type is read', () => {
  const cases = [
    [ALL, [], false, 'search', 'its service has no exportQuery and no collection is known'],
    [ALL, [], true, 'stream', 'its service has searchStream but no exportQuery and no collection is known'],
    [ALL, ['collections'], true, 'scan', 'the option collections names its collection'],
    [ALL, both, true, 'scan', 'its service has exportQuery'],
    [filtered, [], false, 'search', 'its service has no exportQuery and no collection is known'],
    [filtered, ['collections'], false, 'search', '_typeFilter needs its service, which has no exportQuery'],
    [
      filtered,
      ['collections'],
      true,
      'stream',
      '_typeFilter needs its service, which has searchStream but no exportQuery',
    ],
    [filtered, both, false, 'scan', 'its service has exportQuery'],
    [associated, both, true, 'search', 'associated Provenance is chosen by other resources'],
  ] as const
  for (const [demand, origins, hasStream, way, reason] of cases) {
    it(`is by ${way} for ${JSON.stringify(demand)} with ${origins.join(' and ') || 'nothing'}`, () => {
      const reading = readingOf(demand, { origins, hasStream })
      expect(reading).to.deep.include({ way, reason })
      expect(reading.origin).to.equal(way === 'scan' ? origins[0] : undefined)
    })
  }

  for (const hasStream of [false, true]) {
    it(`is by the service when no scan can have the filter, ${hasStream ? 'with' : 'without'} searchStream`, () => {
      expect(readingDespite('$text', filtered, { origins: both, hasStream })).to.deep.equal({
        way: hasStream ? 'stream' : 'search',
        reason: 'its exportQuery gives a filter with $text, which no scan can have',
      })
    })
  }

  it('goes by what the job asks of the type', () => {
    const job = { filters: [{ type: 'Patient', query: 'gender=male' }], provenance: {} }
    expect(demandOf(job, 'Patient')).to.deep.equal(filtered)
    expect(demandOf(job, 'Provenance')).to.deep.equal(associated)
    expect(demandOf({}, 'Provenance')).to.deep.equal(ALL)
  })

  it('is told once for types that have it in common', () => {
    const one = { way: 'scan', reason: 'x' } as const
    const other = { way: 'search', reason: 'x' } as const
    const readings = [
      ['A', one],
      ['B', other],
      ['C', { ...one, plan: {} }],
    ] as const
    expect(readingsByWay(readings)).to.deep.equal([
      { ...one, types: ['A', 'C'] },
      { ...other, types: ['B'] },
    ])
  })
})

describe('how the collection of a cohort is read', () => {
  const cases = [
    [{ patients: 10, all: 100, unindexed: [] }, 'patients'],
    [{ patients: 11, all: 100, unindexed: [] }, 'ranges'],
    [{ patients: 1, all: 0, unindexed: [] }, 'ranges'],
    [{ patients: 500, unindexed: [] }, 'patients'],
    [{ patients: 501, unindexed: [] }, 'ranges'],
    [{ patients: 1, all: 1e6, unindexed: ['subject.reference'] }, 'ranges'],
  ] as const
  for (const [cohort, by] of cases) {
    it(`is by ${by} for ${JSON.stringify(cohort)}`, () => {
      const reading = cohortReading(cohort)
      expect(reading.by).to.equal(by)
      for (const field of cohort.unindexed) expect(reading.reason).to.include(field)
    })
  }
})
