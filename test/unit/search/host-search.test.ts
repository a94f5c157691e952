import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { describeError, ExportError } from '../../../plugin/errors.js'
import type { Resource } from '../../../plugin/fhir/resource.js'
import type { HostRequest } from '../../../plugin/search/host-request.js'
import { hostSearch } from '../../../plugin/search/host-search.js'
import type { Caller } from '../../../plugin/search/search-adapter.js'

const BASE = 'https://fhir.example.org/4_0_0'
const CALLER: Caller = { user: { sub: 'a' }, headers: { 'x-trace': '1' } }

type Args = Readonly<Record<string, unknown>>
type Search = (args: Args, context: { readonly req: HostRequest }) => unknown

const observations = (count: number): Resource[] =>
  Array.from({ length: count }, (_, index) => ({ resourceType: 'Observation', id: `o${index + 1}` }))
const bundle = (resources: readonly Resource[], rest: object = {}) => ({
  resourceType: 'Bundle',
  entry: resources.map((resource) => ({ resource })),
  ...rest,
})
const link = (url: string) => ({ link: [{ relation: 'next', url }] })
const ids = (resources: readonly Resource[]) => resources.map(({ id }) => id)

/** An adapter over one service that is this function, and what the function was called with. */
function over(answer: Search, type = 'Observation') {
  const calls: { readonly args: Args; readonly req: HostRequest }[] = []
  const service = {
    search: async (args: Args, context: { readonly req: unknown }) => {
      const req = context.req as HostRequest
      calls.push({ args, req })
      return answer(args, { req })
    },
  }
  const search = hostSearch({ profiles: { [type]: { service, versions: ['4_0_0'] } } })
  const adapter = search.adapter(BASE, CALLER)
  const page = (query: string, pageSize: number, next?: string) =>
    adapter.search({
      type,
      params: new URLSearchParams(query),
      pageSize,
      ...(next === undefined ? {} : { next }),
    })
  /** Every page, by following `next`. */
  const all = async (query: string, pageSize: number): Promise<Resource[]> => {
    const found: Resource[] = []
    let next: string | undefined
    for (let pages = 0; pages === 0 || next !== undefined; pages += 1) {
      if (pages > 100) throw new Error('It does not end.')
      const read = await page(query, pageSize, next)
      found.push(...read.resources)
      next = read.next
    }
    return found
  }
  return { calls, page, all, adapter }
}

async function reason(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('It did not reject.')
    },
    (error: unknown) => error,
  )
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error = await reason(promise)
  if (error instanceof Error) return error
  throw new Error(`It rejected with ${String(error)}.`)
}

describe('hostSearch', () => {
  describe('the arguments of a service', () => {
    it('are the declared parameters and the version; the query has all', async () => {
      const { calls, page } = over(() => [])
      await page('subject=Patient/1&_lastUpdated=gt2024-01-01T00:00:00.000Z&nonsense=1&_sort=date', 10)
      expect(calls.map(({ args }) => ({ ...args }))).to.deep.equal([
        { base_version: '4_0_0', subject: 'Patient/1', _lastUpdated: 'gt2024-01-01T00:00:00.000Z' },
      ])
      expect({ ...calls[0]?.req.query }).to.deep.equal({
        subject: 'Patient/1',
        _lastUpdated: 'gt2024-01-01T00:00:00.000Z',
        nonsense: '1',
        _sort: 'date',
        _count: '10',
      })
    })

    it('keep a modifier', async () => {
      const { calls, page } = over(() => [])
      await page('code:in=x', 10)
      expect(calls[0]?.args).to.include({ 'code:in': 'x' })
    })

    it('cannot be repeated parameters: the core refuses them', async () => {
      const { calls, page } = over(() => [])
      const error = await reason(page('date=ge2024-01-01&date=lt2024-02-01', 10))
      expect(calls).to.deep.equal([])
      // What the core throws is no Error; a log line about it still has to say what was wrong.
      expect(describeError(error)).to.include('date')
    })

    it('come with the user and the headers of the kick-off', async () => {
      const { calls, page } = over(() => [])
      await page('', 10)
      expect(calls[0]?.req.user).to.equal(CALLER.user)
      expect(calls[0]?.req.get('X-Trace')).to.equal('1')
    })
  })

  describe('the service', () => {
    it('may be a class instance that needs its this', async () => {
      class Service {
        readonly #resources = observations(3)

        async search() {
          return this.#resources
        }
      }
      const profiles = { Observation: { service: new Service(), versions: ['4_0_0'] } }
      const { resources } = await hostSearch({ profiles })
        .adapter(BASE, CALLER)
        .search({ type: 'Observation', params: new URLSearchParams(), pageSize: 10 })
      expect(ids(resources)).to.deep.equal(['o1', 'o2', 'o3'])
    })

    for (const kind of ['absolute', 'relative'] as const) {
      it(`may be given as ${kind} path`, async () => {
        const folder = await mkdtemp(join(tmpdir(), 'bulk-export-service-'))
        try {
          const path = join(folder, 'observation.service.cjs')
          await writeFile(path, "exports.search = async () => [{ resourceType: 'Observation', id: 'x' }]")
          const service = kind === 'absolute' ? path : relative(process.cwd(), path)
          const search = hostSearch({ profiles: { Observation: { service, versions: ['4_0_0'] } } })
          expect(search.types('4_0_0')).to.deep.equal(['Observation'])
          const { resources } = await search
            .adapter(BASE, CALLER)
            .search({ type: 'Observation', params: new URLSearchParams(), pageSize: 10 })
          expect(ids(resources)).to.deep.equal(['x'])
        } finally {
          await rm(folder, { recursive: true })
        }
      })
    }

    it('counts for the versions of its profile, and only with search', () => {
      const search = async () => []
      const profiles = {
        Patient: { service: { search }, versions: ['4_0_0', '4_0_1'] },
        Group: { service: { search }, versions: ['4_0_0'] },
        Account: { service: { search }, versions: ['3_0_1'] },
        Basic: { service: {}, versions: ['4_0_0'] },
      }
      const { types } = hostSearch({ profiles })
      expect(types('4_0_0')).to.deep.equal(['Group', 'Patient'])
      expect(types('4_0_1')).to.deep.equal(['Patient'])
      expect(types('5_0_0')).to.deep.equal([])
    })

    it('is asked for one patient at a time, unless it says for how many', () => {
      const search = async () => []
      const sizeFor = (service: object) => {
        const profiles = { Observation: { service: { search, ...service }, versions: ['4_0_0'] } }
        return hostSearch({ profiles }).adapter(BASE, CALLER).listSize?.('Observation')
      }
      expect([{}, { commaListSize: 1 }, { commaListSize: 20 }].map(sizeFor)).to.deep.equal([1, 1, 20])
      for (const commaListSize of [0, -1, 1.5, Number.NaN, '10', true, null]) {
        expect(() => sizeFor({ commaListSize }), String(commaListSize)).to.throw(/commaListSize.*Observation/)
      }
    })

    it('that is not there is an error', async () => {
      const { adapter } = over(() => [])
      const params = new URLSearchParams()
      const error = await failure(adapter.search({ type: 'Patient', params, pageSize: 10 }))
      expect(error.message).to.include('Patient')
    })

    it('may reject: that is passed on as it is', async () => {
      const cause = new TypeError('broken')
      const { page } = over(() => Promise.reject(cause))
      expect(await failure(page('', 10))).to.equal(cause)
    })

    for (const answer of ['x', 7, {}, { resourceType: 'OperationOutcome' }]) {
      it(`may not answer with ${JSON.stringify(answer)}`, async () => {
        const error = await failure(over(() => answer).page('', 10))
        expect(error).to.be.instanceOf(ExportError)
        expect(error.message).to.include('Observation')
      })
    }
  })

  describe('pages', () => {
    it('follow the link by merging its query into the first one', async () => {
      const pages = ['/x?_cursor=a&_count=2', `${BASE}/Observation?_cursor=b%20c&_sort=date`, undefined]
      const { calls, all } = over(() => {
        const next = pages[calls.length - 1]
        return bundle(
          observations(1),
          next === undefined ? { link: [{ relation: 'self', url: 'x' }] } : link(next),
        )
      })
      expect(await all('subject=Patient/1', 5)).to.have.lengthOf(3)
      expect(calls.map(({ req }) => ({ ...req.query }))).to.deep.equal([
        { subject: 'Patient/1', _count: '5' },
        { subject: 'Patient/1', _count: '2', _cursor: 'a' },
        { subject: 'Patient/1', _count: '5', _cursor: 'b c', _sort: 'date' },
      ])
    })

    it('let the link override a parameter', async () => {
      const { calls, all } = over(() =>
        calls.length === 1 ? bundle([], link('?subject=Patient/2&page=2')) : bundle([]),
      )
      await all('subject=Patient/1', 5)
      expect(calls[1]?.args).to.include({ subject: 'Patient/2' })
    })

    for (const url of [
      '?page=1',
      'Observation?page=1',
      '/4_0_0/Observation?page=1',
      'https://x.org?page=1',
    ]) {
      it(`take ${url} for a link`, async () => {
        const { page } = over(() => bundle(observations(1), link(url)))
        expect((await page('', 5)).next).to.equal('page=1')
      })
    }

    it('are one when the service ignores paging', async () => {
      const { calls, all } = over(() => observations(25))
      expect(await all('', 10)).to.have.lengthOf(25)
      expect(calls).to.have.lengthOf(1)
    })

    // Nothing tells a service that has exactly as many resources as were asked for from one that cut the rest off.
    const cutOff =
      (count: unknown) =>
      <T>(items: readonly T[]) =>
        items.slice(0, Number(count))
    const outcome = { resource: { resourceType: 'OperationOutcome', issue: [] }, search: { mode: 'outcome' } }
    const included = { resource: { resourceType: 'Patient', id: 'p' }, search: { mode: 'include' } }
    const services: readonly [string, (total: number) => Search][] = [
      [
        'cuts off at _count without a link',
        (total) =>
          (_, { req }) =>
            cutOff(req.query['_count'])(observations(total)),
      ],
      [
        'cuts off, and then adds an outcome',
        (total) =>
          (_, { req }) => {
            const entry = cutOff(req.query['_count'])(bundle(observations(total)).entry)
            return { resourceType: 'Bundle', entry: [...entry, outcome] }
          },
      ],
      [
        'cuts off, what it included being counted',
        (total) =>
          (_, { req }) => {
            const entry = [included, ...bundle(observations(total)).entry]
            return { resourceType: 'Bundle', entry: cutOff(req.query['_count'])(entry) }
          },
      ],
      [
        'has links on all pages but the last',
        (total) =>
          (_, { req }) => {
            const from = Number(req.query['from'] ?? 0)
            const to = from + Number(req.query['_count'])
            return bundle(observations(total).slice(from, to), to < total ? link(`?from=${to}`) : {})
          },
      ],
    ]
    for (const [name, service] of services) {
      it(`are read to the end when the service ${name}`, async () => {
        for (const total of [0, 1, 9, 10, 11, 19, 20, 21, 40, 41, 1000]) {
          const { all } = over(service(total))
          expect(ids(await all('', 10)), `of ${total}`).to.deep.equal(ids(observations(total)))
        }
      })
    }

    it('are refused when an answer without links has no end', async () => {
      const [one] = observations(1)
      const { page } = over((_, { req }) => Array(Number(req.query['_count'])).fill(one))
      expect(await failure(page('', 500_000))).to.be.instanceOf(ExportError)
    })

    it('are refused when the total says that more match than came', async () => {
      const { page } = over(() => bundle(observations(3), { total: 4 }))
      const error = await failure(page('', 10))
      expect(error).to.be.instanceOf(ExportError)
      expect(error.message).to.include('3 resources of 4')
    })

    it('are refused when a service stays at its own limit and the total says so', async () => {
      const { page } = over(() => bundle(observations(10), { total: 11 }))
      expect(await failure(page('', 10))).to.be.instanceOf(ExportError)
    })

    for (const total of [0, 3]) {
      it(`are fine when the total is ${total} and as many came`, async () => {
        const { page } = over(() => bundle(observations(total), { total }))
        expect((await page('', 10)).resources).to.have.lengthOf(total)
      })
    }

    it('are fine when the total counts all pages', async () => {
      const { all } = over((_, { req }) => {
        const isFirst = req.query['page'] === undefined
        return bundle(observations(2), { total: 4, ...(isFirst ? link('?page=2') : {}) })
      })
      expect(await all('', 10)).to.have.lengthOf(4)
    })

    it('are not asked for when the signal is aborted', async () => {
      const { calls, adapter } = over(() => [])
      const signal = AbortSignal.abort(new Error('stop'))
      const request = { type: 'Observation', params: new URLSearchParams(), pageSize: 1, signal }
      expect((await failure(adapter.search(request))).message).to.equal('stop')
      expect(calls).to.deep.equal([])
    })

    it('are given up when the signal is aborted while the service does not answer', async () => {
      const { adapter } = over(() => new Promise(() => {}))
      const controller = new AbortController()
      const { signal } = controller
      let end: unknown = 'still waiting'
      adapter
        .search({ type: 'Observation', params: new URLSearchParams(), pageSize: 1, signal })
        .catch((error: unknown) => {
          end = error
        })
      await setImmediate()
      controller.abort(new Error('stop'))
      for (let turn = 0; turn < 10; turn += 1) await setImmediate()
      expect(end).to.have.property('message', 'stop')
    })
  })
})
