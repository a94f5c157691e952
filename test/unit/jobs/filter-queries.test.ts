import { expect } from 'chai'
import fc from 'fast-check'
import type { CohortPatients } from '../../../plugin/jobs/cohort.js'
import type { Position } from '../../../plugin/jobs/model.js'
import { readResources, type Selection } from '../../../plugin/jobs/resource-reader.js'
import type { SearchAdapter } from '../../../plugin/search/search-adapter.js'
import { pagesOf } from './search-model.js'

const BASE = 'https://fhir.example.org/4_0_0'
const SIGNAL = new AbortController().signal

/** An observation about one of a few patients, and the queries that it matches. */
interface Stored {
  readonly patient: string
  readonly matches: ReadonlySet<string>
}

const PATIENTS = ['p1', 'p10', 'p2']
const QUERIES = ['code=a', 'code=b', 'code=c']
const stored: fc.Arbitrary<readonly Stored[]> = fc.array(
  fc.record({
    patient: fc.constantFrom(...PATIENTS, 'outside'),
    matches: fc.subarray(QUERIES).map((queries) => new Set(queries)),
  }),
  { maxLength: 25 },
)

function searchOf(all: readonly Stored[]): SearchAdapter {
  return {
    async search({ params, pageSize, next }) {
      const query = `code=${params.get('code')}`
      const subject = params.get('subject')
      const found = all
        .map((each, index) => ({ ...each, id: `o${index}` }))
        .filter(
          ({ patient, matches }) => matches.has(query) && (!subject || subject === `Patient/${patient}`),
        )
      const start = Number(next ?? 0)
      const end = start + pageSize
      return {
        resources: found.slice(start, end).map(({ id, patient }) => {
          return { resourceType: 'Observation', id, subject: { reference: `Patient/${patient}` } }
        }),
        ...(end < found.length ? { next: String(end) } : {}),
      }
    },
  }
}

const cohort: CohortPatients = {
  async *patients({ from = '' } = {}) {
    yield* PATIENTS.filter((patient) => patient >= from)
  },
  among: async (ids: readonly string[]) => new Set(ids.filter((id) => PATIENTS.includes(id))),
}

describe('several filter queries for one type [QP-41]', () => {
  for (const isGroup of [false, true]) {
    it(`give each match once ${isGroup ? 'for a cohort' : 'of all'}, also when resumed after any resource`, async () => {
      await fc.assert(
        fc.asyncProperty(
          ...[stored, fc.integer({ min: 1, max: 5 }), fc.subarray(QUERIES, { minLength: 2 }), fc.nat(30)],
          async (all, pageSize, queries, stopAfter) => {
            const selection: Selection = {
              ...{ type: 'Observation', window: { until: new Date() }, base: BASE, queries },
              ...(isGroup ? { cohort } : {}),
            }
            const found: string[] = []
            const read = async (from: Position | undefined, most: number) => {
              let last = from
              const options = {
                search: searchOf(all),
                pages: pagesOf(pageSize),
                signal: SIGNAL,
                ...(from ? { from } : {}),
              }
              for await (const { resource, position } of readResources(selection, options)) {
                found.push(resource.id as string)
                last = JSON.parse(JSON.stringify(position)) as Position
                if (--most === 0) break
              }
              return last
            }
            const from = await read(undefined, stopAfter + 1)
            const isOver = found.length <= stopAfter
            if (!isOver) await read(from, Number.POSITIVE_INFINITY)
            const expected = all.flatMap(({ matches, patient }, index) =>
              queries.some((query) => matches.has(query)) && (!isGroup || patient !== 'outside')
                ? [`o${index}`]
                : [],
            )
            expect([...found].sort()).to.deep.equal(expected.sort())
          },
        ),
        { numRuns: 300 },
      )
    })
  }
})
