import { expect } from 'chai'
import { Binary, BSON, Decimal128, type Document, Double, Int32, Long, ObjectId, Timestamp } from 'mongodb'
import { collectionQuery, obstacleIn } from '../../../plugin/search/scan-filter.js'

const filterOf = (filter: unknown) => collectionQuery('Patient', { collection: 'c', filter }).filter
const OTHER_MAJOR = Symbol.for('@@mdb.bson.version')

/** A value as another major version of `bson` has it: the same fields, another class, another mark. */
function foreign(_bsontype: string, fields: Record<string, unknown>, methods: object = {}): object {
  return Object.assign(Object.create({ ...methods, _bsontype, [OTHER_MAJOR]: 5 }), fields)
}

const HEX = '65a1b2c3d4e5f60718293a4b'
const oid = ObjectId.createFromHexString(HEX)
const decimal = Decimal128.fromString('1.50')
const uuid = new BSON.UUID('c1e0b5a2-9d3f-4b6a-8c7d-0e1f2a3b4c5d')
const FOREIGN: readonly (readonly [name: string, value: object, own: unknown])[] = [
  ['ObjectId', foreign('ObjectId', {}, { toString: () => HEX, toHexString: () => HEX }), oid],
  ['ObjectID of version 4', foreign('ObjectID', { id: Buffer.from(HEX, 'hex') }), oid],
  ['Long', foreign('Long', { low: -1, high: 1, unsigned: false }), Long.fromBits(-1, 1)],
  ['Decimal128', foreign('Decimal128', { bytes: Buffer.from(decimal.bytes) }), decimal],
  ['Double', foreign('Double', { value: 2 }), new Double(2)],
  ['Int32', foreign('Int32', { value: 2 }), new Int32(2)],
  [
    'Binary with room to spare',
    foreign('Binary', { buffer: Buffer.from('abcXX'), position: 3, sub_type: 0 }),
    new Binary(Buffer.from('abc')),
  ],
  ['UUID of version 4', foreign('UUID', { id: Buffer.from(uuid.buffer) }), uuid],
  ['Timestamp', foreign('Timestamp', { low: 7, high: 9, unsigned: true }), new Timestamp({ t: 9, i: 7 })],
  ['BSONRegExp', foreign('BSONRegExp', { pattern: '^a', options: 'i' }), new BSON.BSONRegExp('^a', 'i')],
  ['BSONSymbol', foreign('BSONSymbol', { value: 's' }), new BSON.BSONSymbol('s')],
  ['MinKey', foreign('MinKey', {}), new BSON.MinKey()],
  ['MaxKey', foreign('MaxKey', {}), new BSON.MaxKey()],
  [
    'DBRef',
    foreign('DBRef', { collection: 'x', oid: foreign('ObjectId', {}, { toString: () => HEX }) }),
    new BSON.DBRef('x', oid),
  ],
]

describe('the query that exportQuery gives', () => {
  for (const [name, value, own] of FOREIGN) {
    it(`has a ${name} of another major version re-made`, () => {
      const own_ = { tenant: own, $or: [{ a: { $in: [own] } }] }
      const filter = filterOf({ tenant: value, $or: [{ a: { $in: [value] } }] })
      expect(BSON.EJSON.stringify(BSON.deserialize(BSON.serialize(filter)), { relaxed: false })).to.equal(
        BSON.EJSON.stringify(BSON.deserialize(BSON.serialize(own_)), { relaxed: false }),
      )
    })
  }

  it('is kept as it is otherwise', () => {
    const date = new Date('2024-01-01T00:00:00Z')
    const filter: Document = {
      a: 1,
      b: 'x',
      c: null,
      d: true,
      e: date,
      f: /^x$/i,
      g: [{ h: 1n }],
      i: Buffer.from('j'),
      k: {},
    }
    expect(filterOf(filter)).to.deep.equal(filter)
    expect(filterOf({ a: new Map([['$gt', 1]]) })).to.deep.equal({ a: { $gt: 1 } })
    expect(filterOf({ a: { toBSON: () => ({ $gt: date }) } })).to.deep.equal({ a: { $gt: date } })
    expect(Object.keys(filterOf({ a: undefined }))).to.deep.equal(['a'])
  })

  const deep: Record<string, unknown> = {}
  deep['deep'] = deep
  const nonsense: readonly (readonly [what: string, answer: unknown, message: RegExp])[] = [
    ['nothing', undefined, /names no collection/],
    ['a filter alone', { filter: {} }, /names no collection/],
    ['an empty name', { collection: '', filter: {} }, /names no collection/],
    ['a collection object', { collection: { name: 'x' }, filter: {} }, /names no collection/],
    ['no filter', { collection: 'c' }, /gives no filter/],
    ['a list', { collection: 'c', filter: [{}] }, /gives no filter/],
    ['null', { collection: 'c', filter: null }, /gives no filter/],
    ['a text', { collection: 'c', filter: '{}' }, /gives no filter/],
    ['a date', { collection: 'c', filter: new Date() }, /gives no filter/],
    ['a function in it', { collection: 'c', filter: { $where: () => true } }, /a function in it/],
    ['a code', { collection: 'c', filter: { a: foreign('Code', { code: 'secret' }) } }, /a BSON Code in it/],
    [
      'a broken id',
      { collection: 'c', filter: { a: foreign('ObjectId', { id: 'secret' }) } },
      /a broken BSON ObjectId/,
    ],
    ['an endless one', { collection: 'c', filter: deep }, /more than 100 levels/],
  ]
  for (const [what, answer, message] of nonsense) {
    it(`is refused with the type and the remedy when it is ${what}`, () => {
      expect(() => collectionQuery('Patient', answer))
        .to.throw(message)
        .with.property('message')
        .that.matches(/exportQuery of the service of Patient/)
        .and.matches(/Let it return \{ collection, filter \}/)
        .and.does.not.match(/secret/)
    })
  }

  it('says which operator a scan cannot have, however deep it is', () => {
    for (const name of ['$text', '$where', '$near', '$nearSphere', '$function']) {
      expect(obstacleIn({ a: 1, $and: [{ b: { $not: { [name]: {} } } }] })).to.equal(name)
    }
    expect(
      obstacleIn({ $or: [{ text: 1 }, { a: { $in: ['$text'] } }], b: /$where/, c: new ObjectId() }),
    ).to.equal(undefined)
  })
})
