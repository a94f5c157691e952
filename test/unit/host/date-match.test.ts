import { expect } from 'chai'
import fc from 'fast-check'
import { searchFilter } from '../../../scripts/host/search-filter.js'
import { dateText, isFound, period, periodRangeOf, prefixes, rangeOf } from './date-samples.js'
import { matches } from './filter-evaluation.js'

describe('matchDate', () => {
  it('finds a date by what it stands for, however it is written', () => {
    fc.assert(
      fc.property(dateText, dateText, fc.constantFrom(...prefixes), (stored, searched, prefix) => {
        const filter = searchFilter('Patient', { _lastUpdated: prefix + searched })
        const found = matches({ meta: { lastUpdated: stored } }, filter)
        expect(found).to.equal(isFound(prefix, rangeOf(stored), rangeOf(searched)))
      }),
      { numRuns: 3000 },
    )
  })

  it('finds a period by its start and its end', () => {
    fc.assert(
      fc.property(period, dateText, fc.constantFrom(...prefixes), (stored, searched, prefix) => {
        const filter = searchFilter('Encounter', { date: prefix + searched })
        const found = matches({ period: stored }, filter)
        expect(found).to.equal(isFound(prefix, periodRangeOf(stored), rangeOf(searched)))
      }),
      { numRuns: 2000 },
    )
  })
})
