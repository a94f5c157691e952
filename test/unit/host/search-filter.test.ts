import { expect } from 'chai'
import { searchFilter } from '../../../scripts/host/search-filter.js'
import { matches } from './filter-evaluation.js'
import { refusedSearches, searchCases } from './search-cases.js'

const argsOf = (query: string) => Object.fromEntries(new URLSearchParams(query.replaceAll('+', '%2B')))

describe('searchFilter', () => {
  for (const { title, type, resources, searches } of searchCases) {
    describe(title, () => {
      const documents = Object.entries(resources).map(([id, content]) => ({
        _id: id,
        id,
        resourceType: type,
        ...content,
      }))
      for (const [query, expected] of Object.entries(searches)) {
        it(`${type}?${query}`, () => {
          const filter = searchFilter(type, argsOf(query))
          const found = documents.filter((document) => matches(document, filter)).map(({ id }) => id)
          expect(found.join(' ')).to.equal(expected)
        })
      }
    })
  }

  describe('refuses with 400', () => {
    for (const [type, queries] of Object.entries(refusedSearches)) {
      for (const query of queries) {
        it(`${type}?${query}`, () => {
          expect(() => searchFilter(type, argsOf(query)))
            .to.throw()
            .with.property('statusCode', 400)
        })
      }
    }
  })

  it('measures ap of a date from now', () => {
    const found = (now: string) => {
      const filter = searchFilter('Patient', { birthdate: 'ap2013-01-14' }, { now: new Date(now) })
      const documents = ['2013-01-12', '2013-01-13', '2013-01-15', '2013-01-16'].map((birthDate) => ({
        birthDate,
      }))
      return documents.filter((document) => matches(document, filter)).map(({ birthDate }) => birthDate)
    }
    // Ten days after: a day on either side. Twenty: two.
    expect(found('2013-01-24')).to.deep.equal(['2013-01-13', '2013-01-15'])
    expect(found('2013-02-03')).to.deep.equal(['2013-01-12', '2013-01-13', '2013-01-15', '2013-01-16'])
  })

  it('takes references with its own base URL for its own', () => {
    const options = { base: 'http://here/4_0_0' }
    const found = (subject: string) => {
      const filter = searchFilter('Observation', { subject }, options)
      const written = ['Patient/1', 'http://here/4_0_0/Patient/1', 'http://there/4_0_0/Patient/1']
      return written.filter((reference) => matches({ subject: { reference } }, filter))
    }
    expect(found('Patient/1')).to.deep.equal(['Patient/1', 'http://here/4_0_0/Patient/1'])
    expect(found('http://here/4_0_0/Patient/1')).to.deep.equal(['Patient/1', 'http://here/4_0_0/Patient/1'])
    expect(found('http://there/4_0_0/Patient/1')).to.deep.equal(['http://there/4_0_0/Patient/1'])
  })

  it('asks for many patients with one $in, which an index can answer', () => {
    expect(searchFilter('Observation', { patient: 'a,Patient/b' })).to.deep.equal({
      'subject.reference': {
        $in: ['Patient/a', /^Patient\/a\/_history\//, 'Patient/b', /^Patient\/b\/_history\//],
      },
    })
  })

  it('matches everything without parameters, and without values', () => {
    expect(searchFilter('Patient', { base_version: '4_0_0', name: ',' })).to.deep.equal({})
  })

  it('takes several values of one parameter as conditions that all must be met', () => {
    const filter = searchFilter('Patient', { birthdate: ['ge2000', 'lt2001'] })
    const found = ['1999-12-31', '2000-05', '2001-01-01'].filter((birthDate) =>
      matches({ birthDate }, filter),
    )
    expect(found).to.deep.equal(['2000-05'])
  })

  it('undoes what the sanitizer of the core does to text', () => {
    expect(searchFilter('Patient', { 'family:exact': 'A &amp; B &lt;C&gt;' })).to.deep.equal({
      'name.family': 'A & B <C>',
    })
  })
})
