import { expect } from 'chai'
import { baseUrl, pageRequest, searchset, sentParameters } from '../../../scripts/host/search-page.js'

const patients = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ resourceType: 'Patient', id: `p${index + 1}` }))

describe('pageRequest', () => {
  it('has defaults', () => {
    expect(pageRequest({})).to.deep.equal({ count: 50, total: false })
  })

  it('limits pages', () => {
    expect(pageRequest({ _count: '100000' }).count).to.equal(5000)
  })

  it('takes a count of 0 as a question for the total', () => {
    expect(pageRequest({ _count: '0' })).to.deep.equal({ count: 0, total: true })
  })

  for (const parameters of [
    { _count: 'x' },
    { _count: '-1' },
    { _count: ['1', '2'] },
    { _cursor: '' },
    { _cursor: 'a b' },
    { _cursor: ['YQ'] },
  ]) {
    it(`refuses ${JSON.stringify(parameters)}`, () => {
      expect(() => pageRequest(parameters))
        .to.throw()
        .with.property('statusCode', 400)
    })
  }
})

describe('searchset', () => {
  const parameters = { 'name:exact': 'a b', _count: '2' }

  it('links to the next page, which goes on after the last resource', () => {
    const page = searchset('Patient', patients(3), pageRequest(parameters), {
      parameters,
      base: 'http://h/4_0_0',
    })
    expect(page.link).to.deep.equal([
      { relation: 'self', url: 'http://h/4_0_0/Patient?name%3Aexact=a+b&_count=2' },
      { relation: 'next', url: 'http://h/4_0_0/Patient?name%3Aexact=a+b&_count=2&_cursor=cDI' },
    ])
    expect(pageRequest({ _cursor: 'cDI' }).after).to.equal('p2')
    expect(page.entry).to.deep.equal([
      {
        fullUrl: 'http://h/4_0_0/Patient/p1',
        resource: { resourceType: 'Patient', id: 'p1' },
        search: { mode: 'match' },
      },
      {
        fullUrl: 'http://h/4_0_0/Patient/p2',
        resource: { resourceType: 'Patient', id: 'p2' },
        search: { mode: 'match' },
      },
    ])
  })

  it('has no next page after the last resource, no empty list, and relative links without a base', () => {
    expect(searchset('Patient', patients(2), pageRequest(parameters), { parameters }).link).to.have.length(1)
    expect(searchset('Patient', [], pageRequest({}), { parameters: {}, total: 0 })).to.deep.equal({
      resourceType: 'Bundle',
      type: 'searchset',
      total: 0,
      link: [{ relation: 'self', url: 'Patient' }],
    })
  })
})

describe('baseUrl', () => {
  it('is what the client sent the request to', () => {
    const headers = { host: 'h:1' }
    expect(
      baseUrl({ headers, protocol: 'https', originalUrl: '/fhir/4_0_0/Patient?x=/4_0_0/' }, '4_0_0'),
    ).to.equal('https://h:1/fhir/4_0_0')
    expect(baseUrl({ headers }, '4_0_0')).to.equal('http://h:1/4_0_0')
    expect(baseUrl({}, '4_0_0')).to.equal(undefined)
  })
})

describe('sentParameters', () => {
  it('reads the query, and the form of a POST', () => {
    expect(sentParameters({ method: 'GET', query: { a: '1' }, body: { b: '2' } })).to.deep.equal({ a: '1' })
    expect(sentParameters({ method: 'POST', query: { a: '1' }, body: { b: '2' } })).to.deep.equal({
      a: '1',
      b: '2',
    })
    expect(sentParameters({})).to.deep.equal({})
  })
})
