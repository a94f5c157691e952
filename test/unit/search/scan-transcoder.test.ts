import { expect } from 'chai'
import { BSON } from 'mongodb'
import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'
import { Transcoder, type TranscoderOptions } from '../../../plugin/search/scan-transcoder.js'
import { population } from '../../../scripts/population/index.js'
import { lineByObjects, type Stored, stored, UNFIT } from './scan-documents.js'

const { Decimal128, Double, Long, ObjectId } = BSON

/** The text of one document without its newline, or the problem with it. */
function written(document: Stored | Buffer, options?: TranscoderOptions) {
  const into = new NdjsonBuffer(0, 0)
  const problem = new Transcoder(options).transcode(
    Buffer.isBuffer(document) ? document : stored(document),
    into,
  )
  const text = Buffer.from(into.take()).toString()
  expect(text.endsWith('\n')).to.equal(problem === undefined)
  return problem ?? text.slice(0, -1)
}

/** A document of one element, `a`, made by hand. */
function element(type: number, value: readonly number[]): Buffer {
  const body = Buffer.from([0, 0, 0, 0, type, 0x61, 0, ...value, 0])
  body.writeInt32LE(body.length)
  return body
}

describe('Transcoder', () => {
  describe('values', () => {
    const table: ReadonlyArray<readonly [name: string, value: unknown, json: string]> = [
      ['text', 'Müller', '"Müller"'],
      ['empty text', '', '""'],
      ['lone surrogate, which the driver stores as U+FFFD', '\ud800x', '"\ufffdx"'],
      ['true', true, 'true'],
      ['false', false, 'false'],
      ['int32', -2147483648, '-2147483648'],
      ['int32 of one digit', 7, '7'],
      ['double', 1.5, '1.5'],
      ['double of many digits', 0.1 + 0.2, '0.30000000000000004'],
      ['double that is whole', new Double(120), '120'],
      ['minus zero', new Double(-0), '0'],
      ['double with an exponent', 1e21, '1e+21'],
      ['small double', 1e-7, '1e-7'],
      ['int64', Long.fromBigInt(9007199254740991n), '9007199254740991'],
      ['int64 beyond 2^53', Long.fromBigInt(9007199254740993n), '9007199254740993'],
      ['least int64', Long.MIN_VALUE, '-9223372036854775808'],
      ['decimal with a zero at its end', Decimal128.fromString('1.50'), '1.50'],
      ['decimal with an exponent', Decimal128.fromString('-12E+3'), '-1.2E+4'],
      ['small decimal', Decimal128.fromString('0.000000001'), '1E-9'],
      ['decimal zero', Decimal128.fromString('0.00'), '0.00'],
      ['Date', new Date('2024-02-29T23:59:59.007Z'), '"2024-02-29T23:59:59.007Z"'],
      ['first instant', new Date(-62_135_596_800_000), '"0001-01-01T00:00:00.000Z"'],
      ['last instant', new Date(253_402_300_799_999), '"9999-12-31T23:59:59.999Z"'],
      ['ObjectId', new ObjectId('0123456789abcdef01234567'), '"0123456789abcdef01234567"'],
      ['empty document', {}, '{}'],
      ['empty array', [], '[]'],
      ['nested', [{ b: [[], {}, [1, 'c']] }], '[{"b":[[],{},[1,"c"]]}]'],
      ['null in an array', [null, { id: null }, 'x', null], '[null,{},"x",null]'],
    ]
    for (const [name, value, json] of table) {
      it(`writes ${name}`, () => {
        expect(written({ a: value, b: 1 })).to.equal(`{"a":${json},"b":1}`)
        expect(written({ a: [value, value] })).to.equal(`{"a":[${json},${json}]}`)
      })
    }

    it('escapes each byte that JSON.stringify escapes, at each place in a word, in text and in names', () => {
      for (let code = 0; code < 0x120; code++) {
        const character = String.fromCharCode(code)
        for (let place = 0; place < 9; place++) {
          const text = `${'abcdefghi'.slice(0, place)}${character}${'jklmnopqr'.slice(0, 9 - place)}`
          const document = code === 0 ? { a: text } : { a: text, [text]: text, z: { [text]: 1 } }
          expect(written(document)).to.equal(JSON.stringify(document))
        }
      }
    })

    it('leaves out fields that are null or undefined, and keeps both in arrays as null', () => {
      expect(written({ a: null, b: { c: null }, d: 1 })).to.equal('{"b":{},"d":1}')
      expect(written(element(0x06, []))).to.equal('{}')
      const array = element(0x04, [8, 0, 0, 0, 0x06, 0x30, 0, 0])
      expect(written(array)).to.equal('{"a":[null]}')
    })

    it('writes the shortest and the longest text', () => {
      for (const length of [...Array(70).keys(), 4095, 4096, 4097, 1_000_000]) {
        const a = `${'x'.repeat(length)}`
        expect(written({ a })).to.equal(JSON.stringify({ a }))
        expect(written({ a: `${a}\n` })).to.equal(JSON.stringify({ a: `${a}\n` }))
      }
      for (let length = 50; length < 9000; length += 211) {
        const a = '\u0001'.repeat(length)
        expect(written({ a })).to.equal(JSON.stringify({ a }))
      }
      for (const a of ['\u0001'.repeat(300_000), '"'.repeat(300_000), '😀中é'.repeat(100_000)]) {
        expect(written({ a, b: a })).to.equal(JSON.stringify({ a, b: a }))
      }
    })

    it('has room for the elements that grow most', () => {
      for (const [type, value, json] of [
        [0x09, Array(8).fill(0), '"1970-01-01T00:00:00.000Z"'],
        [0x08, [0], 'false'],
        [0x01, new Uint8Array(Float64Array.of(-1.2345678901234568e-300).buffer), '-1.2345678901234568e-300'],
        [0x10, [0, 0, 0, 0x80], '-2147483648'],
        [0x04, [5, 0, 0, 0, 0], '[]'],
        [0x02, [1, 0, 0, 0, 0], '""'],
      ] as const) {
        // A name of no letters, as often as no object could have it.
        const many = Array.from({ length: 5000 }, () => [type, 0, ...value]).flat()
        const document = Buffer.from([0, 0, 0, 0, ...many, 0])
        document.writeInt32LE(document.length)
        expect(written(document)).to.equal(`{${Array(5000).fill(`"":${json}`).join(',')}}`)
      }
    })
  })

  describe('storage fields', () => {
    it('are left out at the root alone, whatever they are', () => {
      const document = { _id: new BSON.UUID(), a: { _id: 1, __v: 2 }, __v: 3, _a: { id: 'x' } }
      expect(written(document)).to.equal('{"a":{"_id":1,"__v":2},"_a":{"id":"x"}}')
    })

    it('can be others', () => {
      const document = { _id: 'x', tenant: /x/, é: 1, '': 2, tenants: 3 }
      const storageFields = ['tenant', 'é', '']
      expect(written(document, { storageFields })).to.equal('{"_id":"x","tenants":3}')
      expect(written({ _id: 'x', __v: 1 }, { storageFields: [] })).to.equal('{"_id":"x","__v":1}')
    })
  })

  describe('problems', () => {
    for (const [kind, name, make] of UNFIT) {
      it(`are ${name}, at each level, without the value`, () => {
        for (const [path, document] of [
          ['photo', { photo: make() }],
          ['contact[1].name._given[0]', { id: 'x', contact: [{}, { name: { _given: [make()] } }] }],
        ] as const) {
          const problem = written(document)
          expect(problem).to.deep.include({ kind, path })
          expect(JSON.stringify(problem))
            .to.contain(path)
            .and.not.match(/secret|10000/)
        }
      })
    }

    it('are text that is not UTF-8, encoded surrogates among it', () => {
      for (const bytes of [
        [0x80],
        [0xc3],
        [0xc1, 0x81],
        [0xe0, 0x9f, 0xbf],
        [0xed, 0xa0, 0x80],
        [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
        [0xe2, 0x82],
        [0xf0, 0x8f, 0xbf, 0xbf],
        [0xf4, 0x90, 0x80, 0x80],
        [0xf0, 0x9f, 0x98],
        [0xff],
      ]) {
        const text = [0x61, ...bytes, 0x62]
        const document = element(0x02, [text.length + 1, 0, 0, 0, ...text, 0])
        expect(() => BSON.deserialize(document)).to.throw('UTF-8')
        expect(written(document)).to.deep.include({ kind: 'text', path: 'a' })
      }
    })

    it('read names that are not UTF-8 as the driver does', () => {
      const document = Buffer.from([9, 0, 0, 0, 0x08, 0xc3, 0, 1, 0])
      expect(written(document)).to.equal(JSON.stringify(BSON.deserialize(document)))
    })

    it('are numbers that are no Decimal128 by its specification', () => {
      for (const high of [0x6c00, 0x31ff]) {
        const document = element(0x13, [...Array(13).fill(0xff), 0xff, high & 0xff, high >> 8])
        expect(written(document)).to.deep.include({ kind: 'number', path: 'a' })
      }
    })

    it('are documents too deep, which end at once', () => {
      const nested = (levels: number) => {
        let document: Stored = {}
        for (let level = 0; level < levels; level++)
          document = level % 2 ? { a: [document] } : { a: document }
        return document
      }
      expect(written(nested(100))).to.equal(JSON.stringify(nested(100)))
      expect(written(nested(500))).to.include({ kind: 'depth' })
    })

    it('do not name what is no FHIR element', () => {
      expect(written({ 'Jane Doe': [{ $x: Number.NaN }] })).to.include({ path: '?[0].?' })
    })
  })

  it('writes a whole population as JSON.stringify does', () => {
    const transcoder = new Transcoder()
    const into = new NdjsonBuffer()
    for (const resource of population({ patients: 30 })) {
      const bytes = stored({ _id: new ObjectId(), ...resource, __v: 0 })
      expect(transcoder.transcode(bytes, into)).to.equal(undefined)
      const line = Buffer.from(into.take()).toString()
      if (line !== `${JSON.stringify(resource)}\n`) expect(line).to.equal(lineByObjects(bytes))
    }
  })
})
