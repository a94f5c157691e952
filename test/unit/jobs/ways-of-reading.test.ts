import { expect } from 'chai'
import fc from 'fast-check'
import { LostPosition } from '../../../plugin/jobs/reading.js'
import type { Selection } from '../../../plugin/jobs/resource-reader.js'
import { BASE, circumstances, expectedIds, readSome, selectionOf, UNTIL } from './reading-circumstances.js'
import { FAITHFUL, modelCohort, modelSearch } from './search-model.js'

const window = { until: UNTIL }
const observationsOf = (patients: readonly string[], each = 3) =>
  patients.flatMap((patient) =>
    Array.from({ length: each }, (_, index) => ({
      ...{ resourceType: 'Observation', id: `${patient}-${index}` },
      subject: { reference: `Patient/${patient}` },
    })),
  )

describe('the ways of reading', () => {
  it('give the same in the same order, whether searches run at the same time or one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(circumstances, async (given) => {
        const search = modelSearch(given.resources, given.given)
        const reading = { search, pageSize: given.pageSize, most: Infinity }
        const selection = selectionOf(given)
        const alone = await readSome(selection, reading)
        const { concurrency } = given
        expect((await readSome(selection, { ...reading, concurrency })).found).to.deep.equal(alone.found)
      }),
      { numRuns: 300 },
    )
  })

  it('give the same, as streams and in pages', async () => {
    await fc.assert(
      fc.asyncProperty(circumstances, async (given) => {
        const found = async (streams: boolean) => {
          const search = modelSearch(given.resources, { ...given.given, streams })
          return (await readSome(selectionOf(given), { search, pageSize: given.pageSize, most: Infinity }))
            .found
        }
        expect(await found(true)).to.deep.equal(await found(false))
      }),
      { numRuns: 300 },
    )
  })

  it('may change between two attempts: what is left comes, or it is said that all must begin anew', async () => {
    const other = fc.record({ streams: fc.boolean(), listSize: fc.integer({ min: 1, max: 4 }) })
    await fc.assert(
      fc.asyncProperty(circumstances, other, fc.nat(), async (given, now, cut) => {
        const services = { ...given.given, isLiteral: false }
        const selection = selectionOf(given)
        const reading = { pageSize: given.pageSize, concurrency: given.concurrency }
        const expected = expectedIds(given)
        const before = modelSearch(given.resources, services)
        const first = await readSome(selection, {
          ...{ ...reading, search: before, most: cut % (expected.length + 1) },
        })
        const search = modelSearch(given.resources, { ...services, ...now })
        const { position: from } = first
        const rest = await readSome(selection, { ...reading, search, from, most: Infinity }).catch(
          (error: unknown) => error,
        )
        if (rest instanceof LostPosition) return
        expect([...first.found, ...(rest as typeof first).found].sort()).to.deep.equal(expected)
      }),
      { numRuns: 500 },
    )
  })

  it('go on as they began: in pages where the service streams by now, alone where it takes lists by now', async () => {
    const about = (id: string, subject: string, performer: readonly string[] = []) => ({
      ...{ resourceType: 'Observation', id, subject: { reference: `Patient/${subject}` } },
      performer: performer.map((each) => ({ reference: `Patient/${each}` })),
    })
    const resources = [about('o1', 'other', ['a']), about('o2', 'b'), about('o3', 'other', ['a'])]
    const cohort = modelCohort(['a', 'b'])
    const selection: Selection = { type: 'Observation', base: BASE, window, cohort }
    const first = await readSome(selection, {
      search: modelSearch(resources, FAITHFUL),
      pageSize: 9,
      most: 1,
    })
    expect(first.found).to.deep.equal(['o1'])
    for (const streams of [false, true]) {
      const search = modelSearch(resources, { ...FAITHFUL, streams, listSize: 2 })
      const rest = await readSome(selection, { search, pageSize: 9, from: first.position, most: 9 })
      expect(rest.found).to.deep.equal(['o3', 'o2'])
    }
  })

  describe('a position within a stream', () => {
    const selection: Selection = { type: 'Observation', base: BASE, window }
    const all = observationsOf(['a'], 6)
    const changed = { ...all[0], id: 'other' }
    const cases: readonly [string, readonly object[], readonly string[] | 'lost'][] = [
      ['all is the same', all, ['a-4', 'a-5']],
      ['what comes after it changed', [...all.slice(0, 4), changed], ['other']],
      ['the ones before it came in another order', [all[1], all[0], ...all.slice(2)] as object[], 'lost'],
      ['another one stands in the place of one before it', [changed, ...all.slice(1)], 'lost'],
      ['one before it was removed', all.slice(1), 'lost'],
      ['it ends before it', all.slice(0, 3), 'lost'],
    ]
    for (const [name, now, expected] of cases) {
      it(`${expected === 'lost' ? 'is lost' : 'holds'} when ${name}`, async () => {
        const services = { ...FAITHFUL, streams: true }
        const first = await readSome(selection, { search: modelSearch(all, services), pageSize: 1, most: 4 })
        const search = modelSearch(now as typeof all, services)
        const rest = await readSome(selection, { search, pageSize: 1, from: first.position, most: 9 }).catch(
          (error: unknown) => error,
        )
        if (expected === 'lost') expect(rest).to.be.instanceOf(LostPosition)
        else expect(rest).to.have.property('found').that.deep.equals(expected)
      })
    }
  })
})
