import { inspect } from 'node:util'
import { expect } from 'chai'
import fc from 'fast-check'
import { ExportError } from '../../../plugin/errors.js'
import { isHopeless, pauseAfter, triesFor } from '../../../plugin/jobs/retry.js'

const HOPELESS = 1
const UNKNOWN = 3
const PASSES = 10

const error = (fields: object, message = 'no') => Object.assign(new Error(message), fields)

describe('triesFor', () => {
  const cases: readonly (readonly [tries: number, what: string, errors: readonly unknown[]])[] = [
    [
      PASSES,
      'what networks do',
      [
        ...[
          'ECONNRESET',
          'ECONNREFUSED',
          'ECONNABORTED',
          'EPIPE',
          'ETIMEDOUT',
          'EHOSTUNREACH',
          'ENETUNREACH',
        ],
        ...['EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_SOCKET'],
      ].map((code) => error({ code })),
    ],
    [
      PASSES,
      'a status that may pass',
      [408, 425, 429, 502, 503, 504].map((code) => error({ statusCode: code })),
    ],
    [
      PASSES,
      'a status that may pass, as cloud storages tell it',
      [429, 503].map((httpStatusCode) => error({ $metadata: { httpStatusCode } })),
    ],
    [PASSES, 'a status in words', [error({ statusCode: '503' })]],
    [
      HOPELESS,
      'a status that will be the same',
      [400, 401, 403, 404, 409, 422].map((code) => error({ statusCode: code })),
    ],
    [HOPELESS, 'the same, as cloud storages tell it', [error({ $metadata: { httpStatusCode: 403 } })]],
    [
      PASSES,
      'a database that is not there',
      [
        ...['MongoNetworkError', 'MongoNetworkTimeoutError', 'MongoServerSelectionError'],
        ...['MongoNotConnectedError', 'MongoTopologyClosedError', 'MongoPoolClearedError'],
        ...['MongooseServerSelectionError', 'MongoOperationTimeoutError'],
      ].map((name) => error({ name })),
    ],
    [
      PASSES,
      'a database that elects',
      [91, 189, 10107, 11600, 11602, 13435, 13436].map((code) => error({ code })),
    ],
    [UNKNOWN, 'another error of a database', [error({ name: 'MongoServerError', code: 11000 })]],
    [
      PASSES,
      'a disk that is full or busy',
      ['ENOSPC', 'EDQUOT', 'EFBIG', 'EMFILE', 'EBUSY', 'EIO'].map((code) => error({ code })),
    ],
    [PASSES, 'an ExportError that may pass', [new ExportError(503, 'later')]],
    [
      HOPELESS,
      'any other ExportError',
      [400, 401, 403, 404, 415, 422, 429, 500].map((status) => new ExportError(status, 'no')),
    ],
    [PASSES, 'a time that is over', [new DOMException('late', 'TimeoutError')]],
    [UNKNOWN, 'an abort that nobody asked for', [new DOMException('stop', 'AbortError')]],
    [
      UNKNOWN,
      'what nobody knows',
      [
        ...[
          new Error('no'),
          new TypeError('x is not a function'),
          error({ code: 'ENOENT' }),
          error({ code: 7 }),
        ],
        ...[
          error({ statusCode: 500 }),
          error({ statusCode: 200 }),
          error({ $metadata: {} }),
          error({ $metadata: null }),
        ],
      ],
    ],
    [UNKNOWN, 'what is no error', [undefined, null, 'no', '', 0, 404, {}, [], Symbol('no'), () => 'no']],
    [
      HOPELESS,
      'an answer that is no error but has a status',
      [{ statusCode: 404, resourceType: 'OperationOutcome' }],
    ],
    [
      PASSES,
      'the same that may pass',
      [{ statusCode: 503, resourceType: 'OperationOutcome' }, { code: 'EPIPE' }],
    ],
  ]
  for (const [tries, what, errors] of cases) {
    it(`${what}: ${tries}`, () => {
      for (const each of errors) expect(triesFor(each), inspect(each, { depth: 1 })).to.equal(tries)
    })
  }

  it('gives every value of any shape at least one try, and no more than may be hopeless', () => {
    const any = fc.anything({ withNullPrototype: true })
    const shaped = fc.record({ code: any, statusCode: any, $metadata: any }, { requiredKeys: [] })
    const odd = [Symbol('x'), Object.create(null), 1n, { toString: 1, valueOf: 1 }]
    const oddly = odd.flatMap((value) => [
      { code: value },
      { statusCode: value },
      { $metadata: { httpStatusCode: value } },
    ])
    fc.assert(
      fc.property(fc.oneof(any, shaped, fc.constantFrom(...oddly)), (value) => {
        expect(triesFor(value)).to.be.oneOf([HOPELESS, UNKNOWN, PASSES])
      }),
      { numRuns: 500 },
    )
  })
})

describe('pauseAfter', () => {
  const failures = fc.integer({ min: 1, max: 10_000 })

  it('begins with a moment, and doubles', () => {
    expect([1, 2, 3, 4].map(pauseAfter)).to.deep.equal([250, 500, 1000, 2000])
  })

  it('never becomes shorter with another failure, nor longer than half a minute', () => {
    fc.assert(
      fc.property(failures, (count) => {
        expect(pauseAfter(count)).to.be.within(250, 30_000)
        expect(pauseAfter(count + 1)).to.be.at.least(pauseAfter(count))
        if (pauseAfter(count) < 15_000) expect(pauseAfter(count + 1)).to.equal(2 * pauseAfter(count))
      }),
    )
  })

  it('is over within two minutes for all tries together', () => {
    const pauses = Array.from({ length: PASSES - 1 }, (_, index) => pauseAfter(index + 1))
    expect(pauses.reduce((sum, pause) => sum + pause)).to.be.below(120_000)
  })
})

describe('isHopeless', () => {
  it('is what has failed as often as anything may', () => {
    fc.assert(
      fc.property(fc.nat({ max: 100 }), (failures) => {
        expect(isHopeless(failures)).to.equal(failures >= PASSES)
      }),
    )
  })
})
