import { expect } from 'chai'
import fc from 'fast-check'
import * as bson from 'mongodb'
import { receivedOrder, sentOrder } from '../../../plugin/threads/scan-messages.js'

const { BSON } = bson
const ORDER = {
  ...{ type: 'Patient', collection: 'Patient', base: 'http://localhost/4_0_0', range: {} },
  ...{ window: { until: new Date() }, limits: { resources: 1, bytes: 1 } },
}
const bytesOf = (filter: object) => Buffer.from(BSON.serialize(filter, { ignoreUndefined: false }))
/** What an order has as its filter in a thread. */
const sent = (filter: Readonly<Record<string, unknown>>) =>
  receivedOrder(structuredClone(sentOrder({ ...ORDER, filter }))).filter

const bytes = fc.uint8Array({ maxLength: 20 })
const text = fc.string({ unit: 'grapheme', maxLength: 8 })
const pattern = fc.constantFrom('a b', '^ü', '[a-z]+$', '')
const value = fc.oneof(
  ...[text, fc.integer(), fc.double(), fc.boolean(), fc.constantFrom(null, undefined)],
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((given) => bson.Long.fromBigInt(given)),
  fc.integer().map((given) => new bson.Int32(given)),
  fc.double().map((given) => new bson.Double(given)),
  fc.integer().map((given) => bson.Decimal128.fromString(`${given}.50`)),
  fc.date({ noInvalidDate: true }),
  fc.constant(new Date('2024-02-29T12:00:00.001Z')),
  fc.uint8Array({ minLength: 12, maxLength: 12 }).map((given) => new bson.ObjectId(given)),
  fc.tuple(pattern, fc.subarray(['i', 'm', 's'])).map(([given, flags]) => new RegExp(given, flags.join(''))),
  fc
    .tuple(pattern, fc.subarray(['i', 'm', 's', 'x']))
    .map(([given, flags]) => new bson.BSONRegExp(given, flags.join(''))),
  bytes,
  bytes.map((given) => Buffer.from(given)),
  fc.tuple(bytes, fc.constantFrom(0, 1, 2, 5, 128)).map(([given, kind]) => new bson.Binary(given, kind)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((given) => new bson.UUID(given)),
  fc.tuple(fc.nat(), fc.nat()).map(([t, i]) => new bson.Timestamp({ t, i })),
  fc.constantFrom(new bson.MinKey(), new bson.MaxKey()),
  text.map((given) => new bson.BSONSymbol(given)),
  text.map((given) => new bson.Code(given)),
  text.map((given) => new bson.DBRef('Patient', new bson.ObjectId(), given)),
)
const name = fc.constantFrom('$or', '$in', '$eq', 'meta.lastUpdated', 'id', '7', '')
const { filter } = fc.letrec<{ filter: Record<string, unknown>; part: unknown }>((tie) => ({
  filter: fc.dictionary(name, tie('part'), { maxKeys: 4, noNullPrototype: true }),
  part: fc.oneof({ depthSize: 'small' }, value, tie('filter'), fc.array(tie('part'), { maxLength: 3 })),
}))

describe('an order that is sent to a thread', () => {
  it('asks the database for the same, whatever is in its filter', () => {
    fc.assert(
      fc.property(filter, (given) => {
        expect(bytesOf(sent(given))).to.deep.equal(bytesOf(given))
      }),
      { numRuns: 2000 },
    )
  })

  it('keeps all else as it is', () => {
    const order = {
      ...{ ...ORDER, filter: {}, after: '{"_id":1}', elements: ['id'], members: 'everyone' as const },
      window: { since: new Date(1), before: new Date(2), until: new Date(3) },
    }
    expect(receivedOrder(structuredClone(sentOrder(order)))).to.deep.equal(order)
  })
})
