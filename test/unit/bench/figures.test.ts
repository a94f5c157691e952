import { expect } from 'chai'
import { cpuBetween, cpuShares, cpuTotal } from '../../../scripts/bench/cpu-use.js'
import { atLeast, atMost, plain } from '../../../scripts/bench/headline.js'
import { LineSum } from '../../../scripts/bench/line-sum.js'
import { cpuSeconds, statusBytes } from '../../../scripts/bench/process-times.js'
import { quantile, spreadOf } from '../../../scripts/bench/quantile.js'
import { unit } from '../../../scripts/bench/unit.js'

describe('The arithmetic of the bench', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  const quantiles: readonly (readonly [values: readonly number[], share: number, expected: number])[] = [
    [hundred, 0, 1],
    [hundred, 0.5, 50],
    [hundred, 0.99, 99],
    [hundred, 1, 100],
    [[10, 9, 100], 0.5, 10],
    [[7], 0.99, 7],
    [[2, 1], 0.5, 1],
  ]
  for (const [values, share, expected] of quantiles) {
    it(`finds ${expected} for the share ${share} of ${values.length} values`, () => {
      expect(quantile(values, share)).to.equal(expected)
    })
  }

  it('knows no quantile of nothing', () => {
    expect(quantile([], 0.5)).to.be.NaN
  })

  it('leaves what it takes a spread of in its order', () => {
    const values = [3, 1, 2]
    expect(spreadOf(values)).to.deep.equal({ min: 1, median: 2, max: 3 })
    expect(values).to.deep.equal([3, 1, 2])
  })

  it('gives shares of what was used between two readings', () => {
    const use = cpuBetween({ workers: 1, mongod: 10, api: 2 }, { workers: 7, mongod: 13, api: 3 })
    expect(cpuTotal(use)).to.equal(10)
    expect(cpuShares(use)).to.deep.equal({ workers: 0.6, mongod: 0.3, api: 0.1 })
  })

  it('knows no shares of nothing', () => {
    expect(cpuShares({ workers: 0, mongod: 0, api: 0 }).workers).to.be.NaN
  })

  it('says of a number whether it is what it should be, at the limit too', () => {
    expect(atLeast('a', 0.6, 0.6)).to.include({ target: '≥ 0.60', isMet: true })
    expect(atLeast('a', 0.59, 0.6)).to.include({ isMet: false })
    expect(atMost('a', 3, 3, unit.seconds)).to.include({ text: '3.00 s', isMet: true })
    expect(atMost('a', 3.01, 3)).to.include({ isMet: false })
    expect(plain('a', 1)).not.to.have.property('isMet')
  })

  it('takes what is not known for a target that is missed, and shows a dash', () => {
    expect(atMost('a', Number.NaN, 3, unit.seconds)).to.include({ text: '–', isMet: false })
  })
})

describe('What Linux says of a process', () => {
  const times = '1 2 3 4 5 6 7 8 9 10 250 50 13 14'

  for (const name of ['node', 'a b', 'a) S 9 9 (b']) {
    it(`has its CPU time, for a program called ${name}`, () => {
      expect(cpuSeconds(`4711 (${name}) S ${times}`)).to.equal(3)
    })
  }

  it('has its memory in bytes', () => {
    const status = 'Name:\tVmHWM:\nVmPeak:\t 9 kB\nVmHWM:\t  217088 kB\nVmRSS:\t   1024 kB\n'
    expect(statusBytes(status, 'VmHWM')).to.equal(212 * 2 ** 20)
    expect(statusBytes(status, 'VmRSS')).to.equal(2 ** 20)
    expect(statusBytes(status, 'VmSwap')).to.be.NaN
  })
})

describe('The sum of lines', () => {
  const sumOf = async (...chunks: readonly string[]) => {
    const sum = new LineSum()
    await sum.add(
      (async function* () {
        for (const chunk of chunks) yield Buffer.from(chunk)
      })(),
    )
    return sum
  }

  it('is the same however the bytes are cut, and in whatever order the lines come', async () => {
    const expected = String(await sumOf('{"a":1}\n{"b":"é"}\n{"c":3}\n'))
    const bytes = [...Buffer.from('{"c":3}\n{"b":"é"}\n{"a":1}\n')].map((byte) => Buffer.from([byte]))
    const byteByByte = new LineSum()
    await byteByByte.add(
      (async function* () {
        yield* bytes
      })(),
    )
    expect(String(byteByByte)).to.equal(expected)
    expect(byteByByte).to.include({ lines: 3, bytes: bytes.length })
    expect(String(await sumOf('{"c":3}\n{"a"', ':1}\n{"b":"é"}'))).to.equal(expected)
  })

  const others = ['a\nb\n', 'a\nb\nd\n', 'a\nb\nc\nc\nc\n', 'ab\nc\n', '']
  for (const other of others) {
    it(`is another one for ${JSON.stringify(other)}`, async () => {
      expect(String(await sumOf(other))).not.to.equal(String(await sumOf('a\nb\nc\n')))
    })
  }
})
