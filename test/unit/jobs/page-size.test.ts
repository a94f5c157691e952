import { expect } from 'chai'
import fc from 'fast-check'
import { PageSizes } from '../../../plugin/jobs/page-size.js'
import type { SearchRequest } from '../../../plugin/search/search-adapter.js'

const resourcesOf = (count: number, size: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...{ resourceType: 'Media', id: `m${1000 + index}`, data: 'x'.repeat(size) },
  }))
const bytesOf = (resources: readonly object[]) =>
  resources.reduce((sum, resource) => sum + JSON.stringify(resource).length, 0)

/** A service with these resources; `atLeast` so many come, however few are asked for. */
function serviceOf(resources: ReturnType<typeof resourcesOf>, atLeast = 1) {
  const asked: number[] = []
  return {
    asked,
    async search({ pageSize }: SearchRequest) {
      asked.push(pageSize)
      const page = resources.slice(0, Math.max(pageSize, atLeast))
      return { resources: page, ...(page.length < resources.length ? { next: 'page=2' } : {}) }
    },
  }
}
const request = (type = 'Media') => ({ type, params: new URLSearchParams() })

describe('the pages of a search', () => {
  it('microsoft/fhir-server#3755, hapifhir/hapi-fhir#8374: are bounded by bytes as well as by count, and full within that', async () => {
    await fc.assert(
      fc.asyncProperty(
        ...[
          fc.integer({ min: 1, max: 3000 }),
          fc.integer({ min: 1, max: 200 }),
          fc.integer({ min: 1, max: 150 }),
        ],
        async (size, count, most) => {
          const service = serviceOf(resourcesOf(count, size))
          const bytes = 10_000
          const pages = new PageSizes({ resources: most, bytes })
          const { resources, next } = await pages.first(service, request(), 0)
          expect(resources.length).to.be.within(1, most)
          expect(service.asked.length, 'searches').to.be.at.most(3)
          if (next === undefined) {
            expect(resources).to.have.length(count)
            return
          }
          if (resources.length > 1) expect(bytesOf(resources)).to.be.at.most(bytes)
          // One more would have been too much.
          const isFull = resources.length === most || bytesOf(resourcesOf(resources.length + 1, size)) > bytes
          expect(isFull, 'full').to.equal(true)
          // The next search of the type asks for as many at once.
          await pages.first(service, request(), 0)
          expect(service.asked.at(-1)).to.equal(resources.length)
        },
      ),
    )
  })

  it('are small as long as nobody knows how large its resources are, and each type has its own', async () => {
    const service = serviceOf(resourcesOf(500, 1_000_000))
    const pages = new PageSizes({ resources: 250, bytes: 2_500_000 })
    expect((await pages.first(service, request(), 0)).resources).to.have.length(2)
    expect(service.asked).to.deep.equal([10, 2])
    await pages.first(service, request(), 0)
    await pages.first(service, request('Binary'), 0)
    expect(service.asked).to.deep.equal([10, 2, 2, 10, 2])
  })

  it('are asked for once where the first is the last', async () => {
    const service = serviceOf(resourcesOf(9, 1_000_000))
    expect(
      (await new PageSizes({ resources: 250, bytes: 1 }).first(service, request(), 0)).resources,
    ).to.have.length(9)
    expect(service.asked).to.deep.equal([10])
  })

  it('have one resource at least, however large that is', async () => {
    const service = serviceOf(resourcesOf(100, 1_000_000))
    expect(
      (await new PageSizes({ resources: 250, bytes: 10 }).first(service, request(), 0)).resources,
    ).to.have.length(1)
    expect(service.asked).to.deep.equal([10, 1])
  })

  it('have as many as are needed to find a position', async () => {
    for (const size of [10, 1_000_000]) {
      const service = serviceOf(resourcesOf(100, size))
      const pages = new PageSizes({ resources: 50, bytes: 10_000 })
      expect((await pages.first(service, request(), 37)).resources.length).to.be.at.least(37)
    }
  })

  it('are taken as they come when the service does not give fewer', async () => {
    const service = serviceOf(resourcesOf(100, 1000), 30)
    expect(
      (await new PageSizes({ resources: 20, bytes: 2000 }).first(service, request(), 0)).resources,
    ).to.have.length(30)
    expect(service.asked).to.have.length(2)
  })

  it('take what cannot be written for nothing', async () => {
    const toJSON = () => {
      throw new Error('no')
    }
    const unwritable = { resourceType: 'Media', id: 'x', toJSON }
    const search = async () => ({ resources: [unwritable, unwritable], next: 'page=2' })
    const pages = new PageSizes({ resources: 2, bytes: 1 })
    expect((await pages.first({ search }, request(), 0)).resources).to.have.length(2)
  })
})
