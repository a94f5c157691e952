import { expect } from 'chai'
import { readResources, type Selection } from '../../../plugin/jobs/resource-reader.js'
import type { SearchAdapter } from '../../../plugin/search/search-adapter.js'
import { BASE, UNTIL } from './reading-circumstances.js'
import { FAITHFUL, modelCohort, modelSearch, pagesOf } from './search-model.js'
import { until, watched } from './watched-search.js'

const observationsOf = (patients: readonly string[], each: number) =>
  patients.flatMap((patient) =>
    Array.from({ length: each }, (_, index) => ({
      ...{ resourceType: 'Observation', id: `${patient}-${index}` },
      subject: { reference: `Patient/${patient}` },
    })),
  )
const PATIENTS = Array.from({ length: 12 }, (_, index) => `p${100 + index}`)
const ALL: Selection = { type: 'Observation', base: BASE, window: { until: UNTIL } }
const OF_PATIENTS: Selection = { ...ALL, cohort: modelCohort(PATIENTS) }

/** @returns the error of a promise that rejects */
async function reason(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'none',
    (error: unknown) => error,
  )
}

describe('the next page', () => {
  const begin = (search: SearchAdapter = modelSearch(observationsOf(['a'], 20), FAITHFUL)) => {
    const host = watched(search)
    const controller = new AbortController()
    const { signal } = controller
    const reading = readResources(ALL, { search: host.search, pages: pagesOf(4), signal })
    return { host, reading, controller }
  }

  it('is asked for while the one before it is taken, and no other', async () => {
    const { host, reading } = begin()
    await reading.next()
    expect(host.asked).to.have.length(1)
    host.hold()
    for (let count = 1; count < 4; count += 1) expect((await reading.next()).done).to.equal(false)
    expect(host.asked.map(({ next }) => next)).to.deep.equal([undefined, '4'])
    expect(host.underWay).to.equal(1)
    host.letThrough()
    for (let count = 4; count < 20; count += 1) expect((await reading.next()).done).to.equal(false)
    expect((await reading.next()).done).to.equal(true)
    expect(host.asked.map(({ next }) => next)).to.deep.equal([undefined, '4', '8', '12', '16'])
    expect(host.mostAtOnce).to.equal(1)
  })

  it('is given up when its reader leaves', async () => {
    const { host, reading } = begin()
    await reading.next()
    host.hold()
    await reading.next()
    expect(host.underWay).to.equal(1)
    await reading.return(undefined)
    await until(() => host.underWay === 0)
    expect(host.asked[1]?.signal?.aborted).to.equal(true)
  })

  it('is given up, and not asked for again, when the signal is aborted', async () => {
    const { host, reading, controller } = begin()
    await reading.next()
    host.hold()
    await reading.next()
    controller.abort(new Error('stop'))
    await until(() => host.underWay === 0)
    expect(await reason(drain(reading))).to.have.property('message', 'stop')
    expect(host.asked).to.have.length(2)
  })

  const failing: SearchAdapter = {
    async search({ next }) {
      if (next !== undefined) throw new Error('broken')
      return { resources: observationsOf(['a'], 4), next: 'x' }
    },
  }

  it('fails the reader only once it is needed', async () => {
    const { host, reading } = begin(failing)
    await reading.next()
    for (let count = 1; count < 4; count += 1) {
      expect((await reading.next()).done).to.equal(false)
      await until(() => host.underWay === 0)
    }
    expect(await reason(reading.next())).to.have.property('message', 'broken')
  })

  it('fails nobody after its reader has left', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    try {
      const { host, reading } = begin(failing)
      await reading.next()
      await reading.next()
      await reading.return(undefined)
      await until(() => host.underWay === 0)
      // Node tells of them when the queue of promises is empty.
      for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
      expect(unhandled).to.deep.equal([])
    } finally {
      process.off('unhandledRejection', note)
    }
  })
})

describe('the searches of several patients', () => {
  const begin = (concurrency: number, search = modelSearch(observationsOf(PATIENTS, 2), FAITHFUL)) => {
    const host = watched(search)
    const controller = new AbortController()
    const { signal } = controller
    const pages = pagesOf(10)
    const reading = readResources(OF_PATIENTS, { search: host.search, pages, signal, concurrency })
    return { host, reading, controller }
  }

  for (const concurrency of [1, 2, 4, 7, 100]) {
    it(`run at the same time, up to ${concurrency}, and the next begins when the first is through`, async () => {
      const { host, reading } = begin(concurrency)
      host.hold()
      const drained = drain(reading)
      // Of each patient there are two, by subject and by performer.
      const most = Math.min(concurrency, 2 * PATIENTS.length)
      await until(() => host.underWay === most)
      host.letThrough()
      expect(await drained).to.deep.equal(observationsOf(PATIENTS, 2).map(({ id }) => id))
      expect(host.mostAtOnce).to.equal(most)
      expect(host.asked).to.have.length(2 * PATIENTS.length)
    })
  }

  it('ask ahead for a first page only', async () => {
    const search = modelSearch(observationsOf(PATIENTS, 30), FAITHFUL)
    const { host, reading } = begin(4, search)
    await reading.next()
    await until(() => host.underWay === 0)
    const subjects = host.asked.map(({ params, next }) => [params.get('subject'), next])
    const [p100, p101] = PATIENTS.map((patient) => `Patient/${patient}`)
    expect(subjects.filter(([subject]) => subject !== null)).to.deep.equal([
      [p100, undefined],
      [p101, undefined],
    ])
    await reading.return(undefined)
  })

  it('are given up when the signal is aborted', async () => {
    const { host, reading, controller } = begin(4)
    await reading.next()
    host.hold()
    const rest = drain(reading)
    await until(() => host.underWay > 0)
    controller.abort(new Error('stop'))
    expect(await reason(rest)).to.have.property('message', 'stop')
    await until(() => host.underWay === 0)
  })

  it('are given up when the reader leaves', async () => {
    // The first search is answered, the others are held.
    const { host, reading } = begin(4)
    host.hold()
    const first = reading.next()
    await until(() => host.underWay === 4)
    host.letThrough(1)
    expect((await first).done).to.equal(false)
    expect(host.underWay).to.equal(3)
    await reading.return(undefined)
    await until(() => host.underWay === 0)
  })

  it('fail when the turn of the one that failed has come, after all before it', async () => {
    const model = modelSearch(observationsOf(PATIENTS, 2), FAITHFUL)
    const search: SearchAdapter = {
      async search(request) {
        if (request.params.get('subject') === `Patient/${PATIENTS[2]}`) throw new Error('broken')
        return model.search(request)
      },
    }
    const { host, reading } = begin(100, search)
    const found: unknown[] = []
    const error = await reason(drain(reading, found))
    expect(error).to.have.property('message', 'broken')
    expect(found).to.deep.equal(observationsOf(PATIENTS.slice(0, 2), 2).map(({ id }) => id))
    await until(() => host.underWay === 0)
  })

  it('share one where the service takes lists, and never where it does not', async () => {
    for (const [listSize, subjects] of [
      [1, PATIENTS],
      [5, ['p100,p101,p102,p103,p104', 'p105,p106,p107,p108,p109', 'p110,p111']],
    ] as const) {
      const model = modelSearch(observationsOf(PATIENTS, 2), { ...FAITHFUL, listSize })
      const host = watched(model)
      const { signal } = new AbortController()
      const search = { ...model, ...host.search }
      const found = await drain(readResources(OF_PATIENTS, { search, pages: pagesOf(10), signal }))
      expect([...found].sort()).to.deep.equal(observationsOf(PATIENTS, 2).map(({ id }) => id))
      const asked = host.asked.flatMap(({ params }) => params.get('subject') ?? [])
      expect(asked.map((subject) => subject.replaceAll('Patient/', ''))).to.deep.equal(subjects)
    }
  })
})

async function drain(
  reading: ReturnType<typeof readResources>,
  found: unknown[] = [],
): Promise<readonly unknown[]> {
  for await (const { resource } of reading) found.push(resource.id)
  return found
}
