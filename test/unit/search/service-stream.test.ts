import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import { ExportError } from '../../../plugin/errors.js'
import type { Resource } from '../../../plugin/fhir/resource.js'
import type { HostRequest } from '../../../plugin/search/host-request.js'
import { hostSearch } from '../../../plugin/search/host-search.js'

const BASE = 'https://fhir.example.org/4_0_0'
const CALLER = { user: { sub: 'a' }, headers: { 'x-trace': '1' } }
const LONG = 60_000

type Context = { readonly req: HostRequest }
type Stream = (args: Readonly<Record<string, unknown>>, context: Context) => unknown

const observations = (count: number): Resource[] =>
  Array.from({ length: count }, (_, index) => ({ resourceType: 'Observation', id: `o${index + 1}` }))

/** The stream of a service that is this function, as it comes to whoever reads. */
function streamOf(searchStream: Stream, { type = 'Observation', signal, timeout = LONG }: Options = {}) {
  const service = {
    search: async () => [],
    searchStream: (args: object, { req }: { readonly req: unknown }) =>
      searchStream(args as Readonly<Record<string, unknown>>, { req: req as HostRequest }),
  }
  const profiles = { [type]: { service, versions: ['4_0_0'] } }
  const adapter = hostSearch({ profiles }, { searchTimeout: timeout }).adapter(BASE, CALLER)
  const params = new URLSearchParams('subject=Patient/1&nonsense=1')
  const stream = adapter.stream?.({ type, params, ...(signal ? { signal } : {}) })
  if (stream === undefined) throw new Error('It has no stream.')
  return stream
}
interface Options {
  readonly type?: string
  readonly signal?: AbortSignal
  readonly timeout?: number
}

/** Counts how often it is closed, and can be told how to. */
function closable(next: (number: number) => unknown, close: () => unknown = () => ({ done: true })) {
  const state = { asked: 0, closed: 0 }
  const iterator = {
    next: () => {
      state.asked += 1
      return next(state.asked)
    },
    return: () => {
      state.closed += 1
      return close()
    },
  }
  return { state, open: () => ({ [Symbol.asyncIterator]: () => iterator }) }
}
const endless = (number: number) => Promise.resolve({ value: observations(number).at(-1), done: false })
const never = () => new Promise<never>(() => {})

async function idsOf(stream: AsyncIterable<Resource>, found: unknown[] = []): Promise<readonly unknown[]> {
  for await (const { id } of stream) found.push(id)
  return found
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => 'no error',
    (thrown: unknown) => thrown,
  )
  if (error instanceof Error) return error
  throw new Error(`It rejected with ${String(error)}.`)
}

describe('the stream of a service', () => {
  const IDS = ['o1', 'o2', 'o3']

  it('is there only where the service has searchStream', () => {
    const profiles = { Observation: { service: { search: async () => [] }, versions: ['4_0_0'] } }
    const adapter = hostSearch({ profiles }).adapter(BASE, CALLER)
    expect(adapter.stream?.({ type: 'Observation', params: new URLSearchParams() })).to.equal(undefined)
  })

  it('gets the arguments and the request of a search, and no page size', async () => {
    const calls: [object, Context][] = []
    await idsOf(
      streamOf((args, context) => {
        calls.push([args, context])
        return []
      }),
    )
    const [[args, { req }]] = calls as [[object, Context]]
    expect({ ...args }).to.deep.equal({ base_version: '4_0_0', subject: 'Patient/1' })
    expect({ ...req.query }).to.deep.equal({ subject: 'Patient/1', nonsense: '1' })
    expect([req.user, req.get('X-Trace')]).to.deep.equal([CALLER.user, '1'])
  })

  it('may be of a service that needs its this', async () => {
    class Service {
      readonly #resources = observations(3)
      async search() {
        return this.#resources
      }
      async *searchStream() {
        yield* this.#resources
      }
    }
    const adapter = hostSearch({ profiles: { Observation: { service: new Service(), versions: ['4_0_0'] } } })
    const request = { type: 'Observation', params: new URLSearchParams() }
    const stream = adapter.adapter(BASE, CALLER).stream?.(request)
    expect(await idsOf(stream as AsyncIterable<Resource>)).to.deep.equal(IDS)
  })

  async function* generated() {
    yield* observations(3)
  }
  const forms: Readonly<Record<string, () => unknown>> = {
    'an async generator': generated,
    'a promise of one': async () => generated(),
    'a list': () => observations(3),
    'a generator': () => observations(3).values(),
    'a readable stream': () => Readable.from(observations(3)),
    'one of instances with toJSON': () =>
      observations(3).map((resource) => ({ resourceType: 'Observation', toJSON: () => resource })),
    'one with other types in between': () => [
      { resourceType: 'OperationOutcome', id: 'o1' },
      ...IDS.map(idOf),
    ],
  }
  const idOf = (id: string) => ({ resourceType: 'Observation', id })
  for (const [name, open] of Object.entries(forms)) {
    it(`may be ${name}`, async () => {
      expect((await idsOf(streamOf(open))).slice(-3)).to.deep.equal(IDS)
    })
  }

  for (const [name, given] of Object.entries({
    nothing: undefined,
    null: null,
    'a string': 'x',
    'a number': 7,
    'an object': {},
    'a Bundle': { resourceType: 'Bundle', entry: [] },
    'a promise of nothing': Promise.resolve(),
  })) {
    it(`cannot be ${name}`, async () => {
      const error = await failure(idsOf(streamOf(() => given)))
      expect(error).to.be.instanceOf(ExportError)
      expect(error.message).to.include('searchStream of Observation').and.include('iterable of resources')
    })
  }

  for (const [name, rubbish] of Object.entries({
    nothing: undefined,
    null: null,
    'a text': 'secret',
    'a list': observations(2),
    'an object': { name: 'secret' },
    'a Bundle': { resourceType: 'Bundle', entry: [], id: 'secret' },
  })) {
    it(`cannot have ${name} in it, which closes it`, async () => {
      const found: unknown[] = []
      const { state, open } = closable(async (number) =>
        number < 3 ? endless(number) : { value: rubbish, done: false },
      )
      const error = await failure(idsOf(streamOf(open), found))
      expect(error).to.be.instanceOf(ExportError)
      expect(error.message).to.include('Observation').and.include('number 3').and.include('resourceType')
      expect(error.message).to.not.include('secret')
      expect(found).to.deep.equal(['o1', 'o2'])
      expect(state).to.deep.equal({ asked: 3, closed: 1 })
    })
  }

  it('may have Bundles in it when it is one of Bundles', async () => {
    const stream = streamOf(() => [{ resourceType: 'Bundle', id: 'b' }], { type: 'Bundle' })
    expect(await idsOf(stream)).to.deep.equal(['b'])
  })

  it('may fail at once or midway: that is passed on as it is', async () => {
    const cause = new TypeError('broken')
    const fail = () => {
      throw cause
    }
    const { open } = closable(async (number) => (number < 3 ? endless(number) : fail()))
    for (const each of [fail, () => Promise.reject(cause), open]) {
      expect(await failure(idsOf(streamOf(each)))).to.equal(cause)
    }
  })

  it('is not opened before it is read, and not at all once the signal is aborted', async () => {
    const { state, open } = closable(endless)
    const stream = streamOf(open, { signal: AbortSignal.abort(new Error('stop')) })
    expect((await failure(idsOf(stream))).message).to.equal('stop')
    expect(state).to.deep.equal({ asked: 0, closed: 0 })
  })

  it('has nothing asked ahead of it, and is closed when the reader leaves', async () => {
    const { state, open } = closable(endless)
    for await (const { id } of streamOf(open)) if (id === 'o3') break
    expect(state).to.deep.equal({ asked: 3, closed: 1 })
  })

  it('is right even when it cannot be closed', async () => {
    const { state, open } = closable(endless, () => Promise.reject(new Error('still open')))
    for await (const _ of streamOf(open)) break
    expect(state.closed).to.equal(1)
  })

  it('that has no end is ended and closed by the signal', async () => {
    const { state, open } = closable(endless)
    const controller = new AbortController()
    const read = (async () => {
      for await (const { id } of streamOf(open, controller)) {
        if (id === 'o100') controller.abort(new Error('stop'))
      }
    })()
    expect((await failure(read)).message).to.equal('stop')
    expect(state).to.deep.equal({ asked: 100, closed: 1 })
  })

  it('lets others do something, even when it has no end and need not wait for anything', async () => {
    const controller = new AbortController()
    const [value] = observations(1)
    const next = () => ({ value, done: false })
    const stream = streamOf(() => ({ [Symbol.iterator]: () => ({ next }) }), controller)
    const read = (async () => {
      for await (const _ of stream) {
        // Read on.
      }
    })()
    setTimeout(() => controller.abort(new Error('stop')), 1)
    expect((await failure(read)).message).to.equal('stop')
  })

  for (const how of ['the signal', 'the time limit'] as const) {
    const ended = (open: () => unknown, asked: () => Promise<void>) => {
      const controller = new AbortController()
      const isTimed = how === 'the time limit'
      const read = idsOf(streamOf(open, { ...(isTimed ? { timeout: 30 } : {}), signal: controller.signal }))
      if (!isTimed) void asked().then(() => controller.abort(new Error('stop')))
      return failure(read)
    }
    const expectEnd = (error: Error) => {
      if (how === 'the signal') expect(error.message).to.equal('stop')
      else expect(error).to.have.deep.property('status', 503)
    }

    it(`that hangs is ended and closed by ${how}, also when closing it hangs`, async () => {
      const { state, open } = closable((number) => (number < 3 ? endless(number) : never()), never)
      expectEnd(
        await ended(open, async () => {
          while (state.asked < 3) await setImmediate()
        }),
      )
      expect(state).to.deep.equal({ asked: 3, closed: 1 })
    })

    it(`that comes only after ${how} has ended it is closed`, async () => {
      const { state, open } = closable(endless)
      let come: (stream: unknown) => void = () => {}
      const late = new Promise((resolve) => {
        come = resolve
      })
      expectEnd(
        await ended(
          () => late,
          async () => {
            await setImmediate()
          },
        ),
      )
      come(open())
      while (state.closed === 0) await setImmediate()
      expect(state).to.deep.equal({ asked: 0, closed: 1 })
    })
  }

  it('has its time limit for each resource, not for what the reader does in between', async () => {
    const stream = streamOf(() => closable(endless).open(), { timeout: 20 })
    const found: unknown[] = []
    for await (const { id } of stream) {
      found.push(id)
      if (found.length === 3) break
      const busyUntil = performance.now() + 40
      while (performance.now() < busyUntil) await setImmediate()
    }
    expect(found).to.deep.equal(IDS)
  })
})
