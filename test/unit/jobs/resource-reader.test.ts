import { expect } from 'chai'
import fc from 'fast-check'
import { ExportError } from '../../../plugin/errors.js'
import type { Position } from '../../../plugin/jobs/model.js'
import { LostPosition } from '../../../plugin/jobs/reading.js'
import { readResources, type Selection } from '../../../plugin/jobs/resource-reader.js'
import type { Page, SearchAdapter } from '../../../plugin/search/search-adapter.js'
import {
  BASE,
  circumstances,
  expectedIds,
  PATIENTS,
  readSome,
  selectionOf,
  UNTIL,
} from './reading-circumstances.js'
import { FAITHFUL, modelCohort, modelSearch, pagesOf } from './search-model.js'

describe('readResources', () => {
  it('gives each selected resource exactly once, whatever the services do with parameters', async () => {
    await fc.assert(
      fc.asyncProperty(circumstances, async (given) => {
        const search = modelSearch(given.resources, given.given)
        const { found } = await readSome(selectionOf(given), {
          search,
          ...{ pageSize: given.pageSize, concurrency: given.concurrency },
          most: Infinity,
        })
        const expected = expectedIds(given)
        if (!given.given.isLiteral) expect([...found].sort()).to.deep.equal(expected)
        // Such a service cannot find all of them, but those that it finds must not be lost over the others.
        expect(new Set(found).size, 'each once').to.equal(found.length)
        expect(expected).to.include.members(found)
        expect(found).to.include.members([...expectedIds(given, (reference) => reference)])
      }),
      { numRuns: 500 },
    )
  })

  it('goes on from any position as if it had not been interrupted', async () => {
    const stops = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(circumstances, stops, async (given, lengths) => {
        const search = modelSearch(given.resources, given.given)
        const selection = selectionOf(given)
        const all = await readSome(selection, { search, pageSize: given.pageSize, most: Infinity })
        const found: (string | undefined)[] = []
        let from: Position | undefined
        for (let turn = 0, isEnd = false; !isEnd; turn += 1) {
          const most = lengths[turn % lengths.length] as number
          const { pageSize, concurrency } = given
          const some = await readSome(selection, { search, pageSize, concurrency, from, most })
          found.push(...some.found)
          from = some.position
          isEnd = some.isEnd
        }
        expect(found).to.deep.equal(all.found)
      }),
      { numRuns: 300 },
    )
  })

  it('gives the same in slices of the patients as in one go, each from where it was interrupted', async () => {
    const cuts = fc.uniqueArray(fc.constantFrom(...PATIENTS), { maxLength: 3 })
    const stop = fc.integer({ min: 1, max: 4 })
    await fc.assert(
      fc.asyncProperty(circumstances, cuts, stop, async (given, firsts, most) => {
        const { pageSize, concurrency } = given
        const search = modelSearch(given.resources, given.given)
        const selection = selectionOf(given)
        fc.pre(typeof selection.cohort === 'object')
        const all = await readSome(selection, { search, pageSize, most: Infinity })
        const bounds = [undefined, ...[...firsts].sort(), undefined]
        const found: (string | undefined)[] = []
        for (const [index, from] of bounds.slice(0, -1).entries()) {
          const below = bounds[index + 1]
          const patients = { ...(from && { from }), ...(below && { below }) }
          const slice = { ...selection, patients }
          const some = await readSome(slice, { search, pageSize, concurrency, most })
          const rest = { search, pageSize, concurrency, from: some.position, most: Infinity }
          found.push(...some.found, ...(some.isEnd ? [] : (await readSome(slice, rest)).found))
        }
        // Within a list of patients, the service decides over the order.
        if (given.given.listSize === 1) expect(found).to.deep.equal(all.found)
        else if (!given.given.isLiteral) expect([...found].sort()).to.deep.equal([...all.found].sort())
        else {
          // What it does not look for may come with a list of some patients, and not with one of others.
          expect(new Set(found).size, 'each once').to.equal(found.length)
          expect(expectedIds(given)).to.include.members(found)
          expect(found).to.include.members([...expectedIds(given, (reference) => reference)])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('goes on with another page size, or says that it must begin anew', async () => {
    await fc.assert(
      fc.asyncProperty(
        circumstances,
        fc.nat(),
        fc.integer({ min: 1, max: 10 }),
        async (given, cut, pageSize) => {
          const search = modelSearch(given.resources, { ...given.given, largestPage: 1000 })
          const selection = selectionOf(given)
          const all = await readSome(selection, { search, pageSize: given.pageSize, most: Infinity })
          const most = cut % (all.found.length + 1)
          const first = await readSome(selection, { search, pageSize: given.pageSize, most })
          const rest = await readSome(selection, {
            search,
            pageSize,
            from: first.position,
            most: Infinity,
          }).catch((error: unknown) => error)
          if (rest instanceof LostPosition) return
          const { found } = rest as typeof first
          expect([...first.found, ...found].sort()).to.deep.equal([...all.found].sort())
        },
      ),
    )
  })

  it('finds an AuditEvent by either of its elements, once', async () => {
    const who = (id: string) => ({ agent: [{ who: { reference: `Patient/${id}` } }] })
    const what = (id: string) => ({ entity: [{ what: { reference: `Patient/${id}` } }] })
    const resources = [
      who('a'),
      what('a'),
      { ...who('a'), ...what('a') },
      { ...who('b'), ...what('a') },
      what('c'),
    ].map((elements, index) => ({ resourceType: 'AuditEvent', id: `e${index}`, ...elements }))
    const selection = {
      type: 'AuditEvent',
      window: { until: UNTIL },
      base: BASE,
      cohort: modelCohort(['a', 'b']),
    }
    const search = modelSearch(resources, FAITHFUL)
    const { found } = await readSome(selection, { search, pageSize: 10, most: Infinity })
    expect([...found].sort()).to.deep.equal(['e0', 'e1', 'e2', 'e3'])
  })

  describe('a position', () => {
    const observation = (id: string) => ({
      resourceType: 'Observation',
      id,
      subject: { reference: 'Patient/a' },
    })
    const before = ['o1', 'o2', 'o3', 'o4', 'o5'].map(observation)
    const cases: readonly [string, readonly string[], readonly string[] | 'lost'][] = [
      ['nothing changed', ['o1', 'o2', 'o3', 'o4', 'o5'], ['o3', 'o4', 'o5']],
      ['what comes after it changed', ['o1', 'o2', 'o4', 'o6'], ['o4', 'o6']],
      ['its resource was removed', ['o1', 'o3', 'o4', 'o5'], 'lost'],
      ['one before it was removed', ['o2', 'o3', 'o4', 'o5'], 'lost'],
      ['one was put before it', ['o0', 'o1', 'o2', 'o3'], 'lost'],
      ['its page became shorter', ['o1'], 'lost'],
      ['nothing is left', [], 'lost'],
    ]
    for (const patients of [undefined, 'everyone', modelCohort(['a'])] as const) {
      for (const [name, now, expected] of cases) {
        const who = typeof patients === 'object' ? 'a cohort' : (patients ?? 'all')
        it(`of ${who} when ${name}: ${expected === 'lost' ? 'is lost' : 'holds'}`, async () => {
          const selection: Selection = {
            ...{ type: 'Observation', window: { until: UNTIL }, base: BASE },
            ...(patients === undefined ? {} : { cohort: patients }),
          }
          const first = await readSome(selection, {
            search: modelSearch(before, FAITHFUL),
            pageSize: 9,
            most: 2,
          })
          expect(first.found).to.deep.equal(['o1', 'o2'])
          const search = modelSearch(now.map(observation), FAITHFUL)
          const { position: from } = first
          const rest = await readSome(selection, { search, pageSize: 9, from, most: Infinity }).catch(
            (error: unknown) => error,
          )
          if (expected === 'lost') expect(rest).to.be.instanceOf(LostPosition)
          else expect(rest).to.have.property('found').that.deep.equals(expected)
        })
      }
    }
  })

  describe('a service that never comes to an end', () => {
    const one = { resourceType: 'Observation', id: 'o1' }
    const two = { resourceType: 'Observation', id: 'o2' }
    const endless: readonly [string, (call: number, next: string | undefined) => Page][] = [
      ['the same page with the same cursor', () => ({ resources: [one], next: 'x' })],
      ['the same page with new cursors', (call) => ({ resources: [one], next: String(call) })],
      [
        'other pages with the same cursor',
        (call) => ({ resources: [{ ...one, id: `o${call}` }], next: 'x' }),
      ],
      [
        'two pages in a circle',
        (_, next) => (next === 'b' ? { resources: [two], next: 'a' } : { resources: [one], next: 'b' }),
      ],
      ['empty pages with the same cursor', () => ({ resources: [], next: 'x' })],
      ['empty pages with new cursors', (call) => ({ resources: [], next: String(call) })],
    ]
    for (const [name, answer] of endless) {
      it(`is an error: ${name}`, async () => {
        let calls = 0
        const search: SearchAdapter = {
          async search({ next }) {
            calls += 1
            if (calls > 20_000) throw new Error('It is still asked after 20,000 pages.')
            return answer(calls, next)
          },
        }
        const selection = { type: 'Observation', window: { until: UNTIL }, base: BASE }
        const error: unknown = await readSome(selection, { search, pageSize: 1, most: Infinity }).catch(
          (reason: unknown) => reason,
        )
        expect(error, String(error)).to.be.instanceOf(ExportError)
        expect(String(error)).to.include('Observation')
      })
    }

    it('does not mean one whose pages are empty now and then', async () => {
      const search: SearchAdapter = {
        async search({ next }) {
          const page = Number(next ?? 0)
          const resources = page % 50 === 49 ? [{ ...one, id: `o${page}` }] : []
          return { resources, ...(page < 199 ? { next: String(page + 1) } : {}) }
        },
      }
      const selection = { type: 'Observation', window: { until: UNTIL }, base: BASE }
      const { found } = await readSome(selection, { search, pageSize: 1, most: Infinity })
      expect(found).to.deep.equal(['o49', 'o99', 'o149', 'o199'])
    })
  })

  it('asks no more once its signal is aborted', async () => {
    const controller = new AbortController()
    let calls = 0
    const search: SearchAdapter = {
      async search() {
        calls += 1
        controller.abort(new Error('stop'))
        return { resources: [{ resourceType: 'Observation', id: 'o1' }], next: 'x' }
      },
    }
    const selection = { type: 'Observation', window: { until: UNTIL }, base: BASE }
    const { signal } = controller
    const all = async () => {
      for await (const _ of readResources(selection, { search, pages: pagesOf(1), signal })) {
        // Read on.
      }
    }
    const error: unknown = await all().catch((reason: unknown) => reason)
    expect(error).to.have.property('message', 'stop')
    expect(calls).to.equal(1)
  })
})
