import { expect } from 'chai'
import fc from 'fast-check'
import { createHostConfig, ensureIndexes, type HostProfile } from '../../../scripts/host/index.js'
import { useDatabase } from '../../support/mongodb.js'
import { dateText, isFound, period, periodRangeOf, prefixes, rangeOf } from '../../unit/host/date-samples.js'
import { refusedSearches, searchCases } from '../../unit/host/search-cases.js'
import { type HostServer, startHost } from './host-server.js'

interface Stored {
  readonly _id: string
  readonly [element: string]: unknown
}

const TYPES = [...new Set([...searchCases.map(({ type }) => type), ...Object.keys(refusedSearches)])]

describe('search of the example host', () => {
  const database = useDatabase()
  let host: HostServer

  beforeEach(async () => {
    host = await startHost(database.db, TYPES)
  })
  afterEach(() => host.close())

  const store = (type: string, resources: Readonly<Record<string, object>>) =>
    database.db
      .collection<Stored>(`${type}_4_0_0`)
      .insertMany(
        Object.entries(resources).map(([id, content]) => ({ resourceType: type, id, ...content, _id: id })),
      )

  /** As clients send it: all but the separators encoded, a `+` left as the space that it arrives as. */
  const encoded = (query: string) =>
    query.replace(/[^&=]+/g, (text) => encodeURIComponent(decodeURIComponent(text)))

  for (const { title, type, resources, searches } of searchCases) {
    it(`finds by ${title}`, async () => {
      await store(type, resources)
      await ensureIndexes(database.db, [type])
      for (const [query, expected] of Object.entries(searches)) {
        const found = await host.searchAll(`${type}?${encoded(query)}`)
        expect(found.map(({ id }) => id).join(' '), query).to.equal(expected)
      }
    })
  }

  it('finds dates as their ranges say, in the database as elsewhere', async () => {
    const texts = fc.sample(dateText, { numRuns: 250, seed: 1 })
    const periods = fc.sample(period, { numRuns: 150, seed: 2 })
    const ranges = new Map([
      ...texts.map((text, index) => [`t${index}`, rangeOf(text)] as const),
      ...periods.map((each, index) => [`p${index}`, periodRangeOf(each)] as const),
    ])
    await store('Observation', {
      ...Object.fromEntries(texts.map((text, index) => [`t${index}`, { effectiveDateTime: text }])),
      ...Object.fromEntries(periods.map((each, index) => [`p${index}`, { effectivePeriod: each }])),
    })
    for (const [index, searched] of fc.sample(dateText, { numRuns: 45, seed: 3 }).entries()) {
      const prefix = prefixes[index % prefixes.length] as string
      const found = await host.searchAll(
        `Observation?_count=500&date=${prefix}${encodeURIComponent(searched)}`,
      )
      const expected = [...ranges].filter(([, range]) => isFound(prefix, range, rangeOf(searched)))
      expect(
        found.map(({ id }) => id),
        prefix + searched,
      ).to.have.members(expected.map(([id]) => id))
    }
  })

  it('refuses what it cannot search by, as an OperationOutcome', async () => {
    for (const [type, queries] of Object.entries(refusedSearches)) {
      for (const query of queries) {
        const answer = await host.send('GET', `${type}?${encoded(query)}`)
        const outcome = (await answer.json()) as { resourceType: string; issue: { diagnostics: string }[] }
        expect(answer.status, query).to.equal(400)
        expect(outcome.resourceType).to.equal('OperationOutcome')
        expect(outcome.issue[0]?.diagnostics, query).to.be.a('string')
      }
    }
  })

  it('finds by the longest text that it takes', async () => {
    await store('Patient', { a: { name: [{ family: 'ó'.repeat(150) }] }, b: { name: [{ family: 'o' }] } })
    const found = await host.searchAll(`Patient?family=${'o'.repeat(150)}`)
    expect(found.map(({ id }) => id)).to.deep.equal(['a'])
  })

  it('applies two forms of a parameter, though the core passes on one', async () => {
    await store('Patient', { a: { name: [{ family: 'AB' }] }, b: { name: [{ family: 'AC' }] } })
    const found = await host.searchAll('Patient?family:contains=A&family:exact=AC')
    expect(found.map(({ id }) => id)).to.deep.equal(['b'])
  })

  it('searches by POST, and links to the next page by GET', async () => {
    await store('Patient', { a: { gender: 'male' }, b: { gender: 'female' }, c: { gender: 'male' } })
    const form = 'application/x-www-form-urlencoded'
    const answer = await host.send('POST', 'Patient/_search', 'gender=male&_count=1', form)
    const { entry, link } = (await answer.json()) as {
      entry: { resource: { id: string } }[]
      link: { url: string }[]
    }
    expect(entry.map(({ resource }) => resource.id)).to.deep.equal(['a'])
    const rest = await host.searchAll((link[1]?.url ?? '').slice(host.base.length + 1))
    expect(rest.map(({ id }) => id)).to.deep.equal(['c'])
  })

  it('gives resources as they were stored, and says where they are', async () => {
    const content = { meta: { lastUpdated: '2024-01-01T00:00:00Z' }, name: [{ family: 'X' }] }
    await store('Patient', { a: content })
    const answer = await host.send('GET', 'Patient?_total=accurate')
    expect(answer.headers.get('content-type')).to.match(/^application\/fhir\+json/)
    expect(await answer.json()).to.deep.equal({
      resourceType: 'Bundle',
      type: 'searchset',
      total: 1,
      link: [{ relation: 'self', url: `${host.base}/Patient?_total=accurate` }],
      entry: [
        {
          fullUrl: `${host.base}/Patient/a`,
          resource: { resourceType: 'Patient', id: 'a', ...content },
          search: { mode: 'match' },
        },
      ],
    })
  })

  it('finds by as many references and ids as its services say, also those to a version', async () => {
    const { Observation } = createHostConfig({ db: database.db }).profiles
    const { commaListSize } = (Observation as HostProfile).service
    const ids = Array.from({ length: commaListSize }, (_, index) => `p${10 + index}`)
    const referring = ids.map((id, index) => {
      const reference = index % 3 === 0 ? `Patient/${id}/_history/2` : `Patient/${id}`
      return [
        `o-${id}`,
        { subject: { reference: index % 3 === 1 ? `${host.base}/${reference}` : reference } },
      ]
    })
    await store('Observation', {
      ...Object.fromEntries(referring),
      x: { subject: { reference: 'Patient/p9' } },
    })
    await store('Patient', Object.fromEntries([...ids, 'p9'].map((id) => [id, {}])))
    const about = await host.searchAll(`Observation?subject=${ids.map((id) => `Patient/${id}`)}`)
    expect(about.map(({ id }) => id)).to.deep.equal(ids.map((id) => `o-${id}`))
    expect((await host.searchAll(`Patient?_id=${ids}`)).map(({ id }) => id)).to.deep.equal(ids)
  })

  it('tells the total of all pages only when asked', async () => {
    await store('Patient', { a: { gender: 'male' }, b: { gender: 'male' }, c: {} })
    const total = async (query: string) => {
      const bundle = (await (await host.send('GET', `Patient?${query}`)).json()) as {
        total?: number
        entry?: object[]
      }
      return [bundle.total, bundle.entry?.length]
    }
    expect(await total('gender=male&_count=1')).to.deep.equal([undefined, 1])
    expect(await total('gender=male&_count=1&_total=accurate')).to.deep.equal([2, 1])
    expect(await total('gender=male&_count=0')).to.deep.equal([2, undefined])
  })

  it('gives every resource once, whatever the size of the pages', async () => {
    const ids = Array.from({ length: 137 }, (_, index) => `${(index * 7919) % 1000}-${index}`)
    await store('Patient', Object.fromEntries(ids.map((id, index) => [id, { active: index % 3 !== 0 }])))
    const expected = ids.filter((_, index) => index % 3 !== 0).sort()
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 150 }), async (count) => {
        const all = await host.searchAll(`Patient?_count=${count}`)
        expect(all.map(({ id }) => id)).to.deep.equal([...ids].sort())
        const some = await host.searchAll(`Patient?active=true&_count=${count}`)
        expect(some.map(({ id }) => id)).to.deep.equal(expected)
      }),
      { numRuns: 12, examples: [[1], [137], [136], [138]] },
    )
  })

  it('keeps its place while resources come and go', async () => {
    await store('Patient', { b: {}, d: {}, f: {} })
    const first = (await (await host.send('GET', 'Patient?_count=2')).json()) as { link: { url: string }[] }
    await host.send('DELETE', 'Patient/d')
    await host.send('PUT', 'Patient/a', { resourceType: 'Patient', id: 'a' })
    const rest = await host.searchAll((first.link[1]?.url ?? '').slice(host.base.length + 1))
    expect(rest.map(({ id }) => id)).to.deep.equal(['f'])
  })
})
