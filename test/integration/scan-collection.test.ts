import { expect } from 'chai'
import fc from 'fast-check'
import { BSON, type Document, ObjectId } from 'mongodb'
import { isWithinWindow } from '../../plugin/fhir/window.js'
import { scanIntoParts } from '../../plugin/jobs/scan-parts.js'
import { idOf, ScanCollection } from '../../plugin/search/scan-collection.js'
import { ScanLines } from '../../plugin/search/scan-lines.js'
import { useDatabase } from '../support/mongodb.js'

const UNTIL = new Date('2030-01-01T00:00:00Z')
const LIMITS = { resources: 100, bytes: 1e6 }

describe('a scan of a collection', () => {
  const database = useDatabase()
  const scan = () => new ScanCollection(database.db, 'Patient')
  const store = async (documents: readonly Document[]) => {
    await database.db.collection('Patient').deleteMany({})
    await database.db.collection('Patient').insertMany(documents.map((document) => ({ ...document })))
  }
  const read = async (...asked: Parameters<ScanCollection['open']>) => {
    const cursor = scan().open(...asked)
    const found: string[] = []
    while (await cursor.fetch()) {
      for (let next = cursor.next(); next !== undefined; next = cursor.next()) found.push(idOf(next))
    }
    await cursor.close()
    return found
  }

  it('gives nothing of a collection that is not there', async () => {
    expect(await scan().ranges()).to.deep.equal([])
    expect(await read({}, undefined, { until: UNTIL })).to.deep.equal([])
  })

  it('goes over ids of all types, in ranges and from any id on', async () => {
    const id = fc.oneof(
      ...[fc.string({ maxLength: 3 }), fc.integer(), fc.double({ noNaN: true }), fc.boolean()],
      fc.date({ noInvalidDate: true }),
      fc.nat({ max: 1000 }).map((seed) => ObjectId.createFromHexString(seed.toString(16).padStart(24, '0'))),
    )
    const ids = fc.uniqueArray(id, {
      minLength: 1,
      maxLength: 30,
      selector: (one) => BSON.EJSON.stringify({ one }),
    })
    await fc.assert(
      fc.asyncProperty(ids, fc.infiniteStream(fc.nat()), async (given, dice) => {
        const documents: Document[] = []
        // What MongoDB takes for the same number is the same id.
        for (const _id of given)
          if (!documents.some((other) => Object.is(other['_id'], -_id || 0))) documents.push({ _id })
        await store(documents)
        const all = await read({}, undefined, { until: UNTIL })
        expect(all).to.have.length(documents.length)
        const cuts = [...new Set([0, 0].map(() => all[(dice.next().value as number) % all.length] as string))]
        const bounds = [undefined, ...all.filter((one) => cuts.includes(one)), undefined]
        const parts: string[] = []
        for (const [index, from] of bounds.slice(0, -1).entries()) {
          const below = bounds[index + 1]
          const range = { ...(from ? { from } : {}), ...(below ? { below } : {}) }
          const part = await read(range, undefined, { until: UNTIL })
          parts.push(...part)
          for (const [at, after] of part.entries()) {
            expect(await read(range, after, { until: UNTIL })).to.deep.equal(part.slice(at + 1))
          }
        }
        expect(parts).to.deep.equal(all)
      }),
      { numRuns: 25 },
    )
  })

  it('goes on after an id that is not there any more', async () => {
    await store([{ _id: 'a' }, { _id: 'c' }, { _id: 'd' }])
    const after = idOf({ _id: 'b' })
    expect(await read({}, after, { until: UNTIL })).to.deep.equal([idOf({ _id: 'c' }), idOf({ _id: 'd' })])
  })

  it('says how far it is when it finds nothing for long, and goes on from there', async () => {
    const documents = Array.from({ length: 450 }, (_, _id) => ({ _id, resourceType: 'Basic', id: `b${_id}` }))
    await store([...documents, { _id: 450, resourceType: 'Patient', id: 'last' }])
    const parts = (after: string | undefined) => {
      const request = { window: { until: UNTIL }, ...(after === undefined ? {} : { after }) }
      const lines = new ScanLines('Patient', scan().open({}, after, request.window), request)
      const control = { signal: new AbortController().signal, isEnough: () => false }
      return scanIntoParts({ type: 'Patient', limits: LIMITS }, lines, control, { longLook: 0 })
    }
    let looks = 0
    let after: string | undefined
    for (;;) {
      const { value: part } = await parts(after).next()
      if (part === undefined || part.lines !== undefined) break
      expect(part.size).to.deep.equal({ resources: 0, bytes: 0 })
      expect(part.position.scanned).not.to.equal(after)
      after = part.position.scanned
      looks += 1
    }
    expect(looks).to.be.greaterThan(0)
    const found: string[] = []
    for await (const part of parts(after)) {
      for await (const chunk of part.lines ?? []) found.push(Buffer.from(chunk).toString())
    }
    expect(found).to.deep.equal(['{"resourceType":"Patient","id":"last"}\n'])
  })

  it('knows the id of a document that is corrupt elsewhere', () => {
    const document = Buffer.from(BSON.serialize({ _id: 'p1', text: 'abc', id: 'p1' }))
    document[document.indexOf('abc')] = 0xff
    expect(() => BSON.deserialize(document)).to.throw()
    expect(idOf(document)).to.equal(idOf({ _id: 'p1' }))
  })

  it('cuts a large collection into ranges that are all of it', async () => {
    const documents = Array.from({ length: 160_000 }, (_, index) => ({
      _id: `p${(index * 7919) % 1_000_003}`,
    }))
    await store(documents)
    const firsts = await scan().ranges()
    expect(firsts).to.have.length(2)
    const bounds = [undefined, ...firsts, undefined]
    const parts = await Promise.all(
      bounds.slice(0, -1).map((from, index) => {
        const below = bounds[index + 1]
        return read({ ...(from ? { from } : {}), ...(below ? { below } : {}) }, undefined, { until: UNTIL })
      }),
    )
    expect(new Set(parts.flat()).size).to.equal(documents.length)
    expect(parts.flat()).to.have.length(documents.length)
    for (const part of parts) expect(part.length).to.be.above(documents.length / 10)
  })

  it('leaves nothing out that is within the window, however its time is kept', async () => {
    const since = new Date('2024-02-29T12:00:00.000Z')
    const offsets = ['Z', '+00:00', '+02:00', '+14:00', '-12:00', '']
    const times = [-13, -1, 0, 1, 13].map((hours) => new Date(since.getTime() + hours * 3_600_000 + 1))
    const kept = [
      ...times,
      ...times.flatMap((time) => offsets.map((offset) => `${time.toISOString().slice(0, 19)}${offset}`)),
      ...[null, 5, 'yesterday', '2024', '', undefined],
    ]
    await store(
      kept.map((lastUpdated, index) => ({ _id: index, resourceType: 'Patient', meta: { lastUpdated } })),
    )
    const found = new Set(await read({}, undefined, { since, until: UNTIL }))
    const documents = await database.db.collection('Patient').find().toArray()
    for (const document of documents) {
      const resource = document as unknown as Parameters<typeof isWithinWindow>[0]
      if (!isWithinWindow(resource, { since, until: UNTIL })) continue
      expect(found.has(idOf(document)), JSON.stringify(document)).to.equal(true)
    }
    expect(found.size, 'what is surely too old is left to the database').to.be.below(documents.length)
  })
})
