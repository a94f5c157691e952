import { expect } from 'chai'
import { BSONRegExp, type Db, Decimal128, type Document, Long, ObjectId } from 'mongodb'
import type { ScanOrder, ScanRunner } from '../../plugin/jobs/scan-order.js'
import { idOf } from '../../plugin/search/scan-collection.js'
import { PatientSet } from '../../plugin/search/scan-patients.js'
import { scanRunner } from '../../plugin/threads/scan-runner.js'
import { Dice } from '../../scripts/population/dice.js'
import { allParts, batchesOf, type DrainedPart, drainedParts, linesIn } from '../support/drained-parts.js'
import { createTestLogger } from '../support/logger.js'
import { useSuiteDatabase } from '../support/mongodb.js'

const BASE = 'http://localhost/4_0_0'
const SEED = String(Math.random())
const PATIENTS = Array.from({ length: 90 }, (_, index) => `p${index}`).sort()
const MEMBERS = PATIENTS.filter((_, index) => index % 3 === 0)
const UNTIL = new Date('2024-05-01T00:00:00Z')
const LONGEST = 20_000
const LIMITS = { resources: 150, bytes: 60_000, resourceBytes: LONGEST - 2000 }

/** Documents of a type, of sizes from nothing to more than may be, some of which cannot be written. */
function documents(type: string, count: number): readonly Document[] {
  const dice = new Dice(`${SEED} ${type}`)
  const patient = () => ({ reference: `Patient/${dice.pick(PATIENTS)}` })
  return Array.from({ length: count }, (_, index) => {
    const longest = dice.chance(2) ? LONGEST : 400
    const lastUpdated = new Date(UNTIL.getTime() + dice.between(-20, 1) * 86_400_000)
    return {
      ...{ resourceType: dice.chance(2) ? 'Basic' : type, id: `r${index}` },
      meta: { lastUpdated: dice.chance(50) ? lastUpdated : lastUpdated.toISOString() },
      ...(dice.chance(50) ? { subject: patient() } : {}),
      ...(dice.chance(30) ? { performer: [patient(), patient()] } : {}),
      status: dice.chance(50) ? 'final' : 'amended',
      text: 'ä"x'.repeat(dice.below(longest) / 3),
      ...(dice.chance(2) ? { bytes: Buffer.from('no JSON') } : {}),
      ...(dice.chance(2) ? { pattern: /no JSON/ } : {}),
    }
  })
}

describe(`scans in threads (seed ${SEED})`, function () {
  this.timeout(60_000)
  const database = useSuiteDatabase()
  const { logger, records } = createTestLogger()
  let here: ScanRunner
  let threads: ScanRunner
  const opened = (count: number) =>
    scanRunner({
      ...{ db: database.db, uri: database.uri, connection: {}, logger },
      scan: { batchSize: 300, threads: count },
    })
  const orderOf = (type: string, more: Partial<ScanOrder>): ScanOrder => ({
    ...{ type, collection: type, filter: {}, base: BASE, window: { until: UNTIL }, limits: LIMITS },
    ...more,
  })
  const store = (db: Db, name: string, all: readonly Document[]) => db.collection(name).insertMany([...all])

  before(async () => {
    here = opened(0)
    threads = opened(2)
    await store(database.db, 'Observation', documents('Observation', 4000))
  })
  after(() => threads.close())
  afterEach(() => expect(records, 'threads are there').to.deep.equal([]))

  /** Scans in both ways, and compares. */
  const compared = async (order: ScanOrder, patients?: () => AsyncGenerator<readonly string[]>) => {
    const expected = await allParts(here, order, { batches: patients?.() })
    expect(await allParts(threads, order, { batches: patients?.() })).to.deep.equal(expected)
    return expected
  }
  const problemsIn = (parts: readonly DrainedPart[]) => JSON.stringify(parts.map(({ problems }) => problems))

  describe('of a range', () => {
    it('have the same parts, problems and positions as those of the caller', async () => {
      const parts = await compared(orderOf('Observation', { range: {} }))
      expect(parts).to.have.length.above(20)
      const problems = problemsIn(parts)
      for (const word of ['too-long', 'exception']) expect(problems).to.include(word)
      for (const { text, size } of parts) expect(Buffer.byteLength(text ?? '')).to.equal(size.bytes)
    })

    it('have them when all is one part of many chunks', async () => {
      const limits = { resources: 1e6, bytes: 1e9 }
      const large = Array.from({ length: 700 }, (_, index) => {
        return {
          resourceType: 'Media',
          id: `m${index}`,
          text: String.fromCharCode(65 + (index % 26)).repeat(9999),
        }
      })
      await store(database.db, 'Media', [...large, { resourceType: 'Media', text: 'x'.repeat(3e6) }])
      const [part, ...others] = await compared(orderOf('Media', { range: {}, limits }))
      expect(part?.size.resources).to.equal(701)
      expect(others).to.deep.equal([])
    })

    it('go on after any position, whoever has come to it', async () => {
      const order = orderOf('Observation', { range: {} })
      const parts = await allParts(here, order)
      const dice = new Dice(SEED)
      for (const at of [0, dice.below(parts.length), parts.length - 1]) {
        const after = parts[at]?.position.scanned
        expect(await allParts(threads, { ...order, after }), `after part ${at}`).to.deep.equal(
          parts.slice(at + 1),
        )
      }
    })

    it('end where a range ends', async () => {
      const ids = await database.db.collection('Observation').find().sort({ _id: 1 }).toArray()
      const [from, below] = [ids[700], ids[1500]].map((document) => idOf(document as Document))
      const parts = await compared(
        orderOf('Observation', { range: { from: from ?? '', below: below ?? '' } }),
      )
      expect(linesIn(parts)).to.have.length.within(600, 800)
    })

    it('are many at the same time', async () => {
      const order = orderOf('Observation', { range: {} })
      const expected = await allParts(here, order)
      const all = await Promise.all([1, 2, 3, 4, 5].map(() => allParts(threads, order)))
      for (const parts of all) expect(parts).to.deep.equal(expected)
    })

    it('give parts without lines for what cannot be written', async () => {
      await store(
        database.db,
        'Basic',
        Array.from({ length: 2500 }, (_, index) => ({
          ...{ resourceType: 'Basic', id: `b${index}`, bytes: Buffer.from('no JSON') },
        })),
      )
      const parts = await compared(orderOf('Basic', { range: {} }))
      expect(parts).to.have.length(3)
      for (const part of parts) expect(part).not.to.have.property('text')
    })

    it('give nothing of a collection that is not there', async () => {
      expect(await compared(orderOf('Slot', { range: {} }))).to.deep.equal([])
    })
  })

  describe('of patients', () => {
    const members = new PatientSet()
    for (const id of MEMBERS) members.add(id)

    for (const [whose, given] of [
      ['some', members],
      ['all', 'everyone'],
    ] as const) {
      it(`have the same of ${whose} of them by ranges`, async () => {
        const parts = await compared(orderOf('Observation', { range: {}, members: given }))
        expect(linesIn(parts)).to.have.length.above(500)
      })
    }

    for (const size of [1, 7, 1000]) {
      it(`have the same by ${size} of them at a time, and go on within`, async () => {
        const order = orderOf('Observation', { members })
        const parts = await compared(order, () => batchesOf(MEMBERS, size))
        expect(linesIn(parts)).to.have.length.above(500)
        const at = new Dice(SEED).below(parts.length)
        const { patient = '', scanned } = parts[at]?.position ?? {}
        const left = MEMBERS.slice(MEMBERS.indexOf(patient))
        const rest = await allParts(threads, { ...order, after: scanned }, { batches: batchesOf(left, size) })
        expect(linesIn(rest)).to.deep.equal(linesIn(parts.slice(at + 1)))
      })
    }

    it('have the same when there are none', async () => {
      const none = () => batchesOf([], 1)
      expect(await compared(orderOf('Observation', { members }), none)).to.deep.equal([])
    })
  })

  describe('of what is asked for', () => {
    it('have the same elements', async () => {
      const parts = await compared(orderOf('Observation', { range: {}, elements: ['status'] }))
      const [first = '{}'] = linesIn(parts)
      expect(JSON.parse(first)).to.include.keys('status').and.not.to.include.keys('text')
    })

    it('have the same window', async () => {
      const day = 86_400_000
      const window = { since: new Date(+UNTIL - 9 * day), before: new Date(+UNTIL - 2 * day), until: UNTIL }
      const parts = await compared(orderOf('Observation', { range: {}, window }))
      expect(linesIn(parts)).to.have.length.within(500, 2500)
    })

    it('leave the same Binary out', async () => {
      const binaries = ['Patient/p1', 'Group/g', undefined].map((reference, index) => ({
        ...{ resourceType: 'Binary', id: `b${index}`, contentType: 'text/plain', data: 'YQ==' },
        ...(reference === undefined ? {} : { securityContext: { reference } }),
      }))
      await store(database.db, 'Binary', binaries)
      const lines = linesIn(await compared(orderOf('Binary', { range: {} })))
      expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).to.deep.equal(['b1', 'b2'])
    })

    it('have the same URLs of attachments', async () => {
      const urls = ['Binary/1', '/Binary/2', 'https://elsewhere.example.org/3']
      const references = urls.map((url, index) => ({
        ...{ resourceType: 'DocumentReference', id: `d${index}`, status: 'current' },
        content: [{ attachment: { url } }],
      }))
      await store(database.db, 'DocumentReference', references)
      const lines = linesIn(await compared(orderOf('DocumentReference', { range: {} })))
      expect(lines[0]).to.include(`"${BASE}/Binary/1"`)
      expect(lines[2]).to.include('"https://elsewhere.example.org/3"')
    })
  })

  describe('with a filter', () => {
    const oid = new ObjectId()
    const day = new Date('2024-02-29T12:00:00.001Z')
    const long = Long.fromString('9007199254740993')
    const kept: readonly Document[] = [
      { oid, decimal: Decimal128.fromString('1.10'), long, day, name: 'Ann Lee', gone: null },
      { oid: oid.toHexString(), decimal: 1.5, long: Long.fromString('9007199254740992'), name: 'ANN\nLEE' },
      { oid: new ObjectId(), decimal: '1.1', long: 1, day: day.toISOString(), name: 'Bo', gone: 1 },
    ].map((document, index) => ({ resourceType: 'Person', id: `${index}`, ...document }))
    before(() => store(database.db, 'Person', kept))

    const filters: readonly (readonly [name: string, filter: Document, ids: readonly string[]])[] = [
      ['an ObjectId', { oid }, ['0']],
      ['a Decimal128', { decimal: Decimal128.fromString('1.1') }, ['0']],
      ['a Long', { long }, ['0']],
      ['a bigint', { long: 9007199254740993n }, ['0']],
      ['a Date', { day: { $lte: day } }, ['0']],
      ['a RegExp', { name: /^ann lee$/i }, ['0']],
      ['a RegExp of MongoDB', { name: new BSONRegExp('^ann \\s lee$', 'ix') }, ['0', '1']],
      ['undefined', { gone: undefined }, ['0', '1']],
      [
        'lists',
        { $or: [{ oid: { $in: [oid, /^x/] } }, { $and: [{ name: { $in: [/^B/, 'C'] } }] }] },
        ['0', '2'],
      ],
    ]
    for (const [name, filter, ids] of filters) {
      it(`find the same by ${name}`, async () => {
        const lines = linesIn(await compared(orderOf('Person', { range: {}, filter })))
        expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).to.deep.equal(ids)
      })
    }
  })

  for (const where of ['threads', 'here'] as const) {
    it(`end a part early when it is enough, and lose nothing: ${where}`, async () => {
      const runner = where === 'here' ? here : threads
      const order = orderOf('Observation', { range: {}, limits: { resources: 1e6, bytes: 1e9 } })
      const all = linesIn(await allParts(here, order))
      const found: string[] = []
      const control = { isEnough: () => true }
      let after: string | undefined
      let parts = 0
      for (;;) {
        const scan = drainedParts(runner, { ...order, after }, { control })
        const { value: part } = await scan.next()
        await scan.return(undefined)
        if (part === undefined) break
        expect(part.size.resources).to.be.above(0)
        found.push(...linesIn([part]))
        after = part.position.scanned
        parts += 1
      }
      expect(found).to.deep.equal(all)
      expect(parts).to.be.above(1)
    })
  }
})
