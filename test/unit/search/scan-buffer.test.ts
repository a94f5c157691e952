import { expect } from 'chai'
import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'

function append(lines: NdjsonBuffer, text: string): void {
  lines.reserve(lines.length + text.length)
  lines.length += lines.bytes.write(text, lines.length, 'latin1')
}

describe('NdjsonBuffer', () => {
  it('keeps what was written when it grows, that of an unfinished line too', () => {
    const lines = new NdjsonBuffer(4, 0)
    append(lines, 'abc\n')
    lines.bytes[3] = 0x2e
    lines.length = 3
    lines.reserve(1000)
    expect(lines.bytes.toString('latin1', 0, 4)).to.equal('abc.')
    expect(lines.bytes.length).to.equal(1000)
    lines.view.setUint8(0, 0x41)
    expect(lines.bytes[0]).to.equal(0x41)
  })

  it('is full from its size on, and empty after it was taken', () => {
    const lines = new NdjsonBuffer(4, 10)
    append(lines, 'abc')
    expect(lines.isFull).to.equal(false)
    append(lines, 'd')
    expect(lines.isFull).to.equal(true)
    expect(Buffer.from(lines.take()).toString()).to.equal('abcd')
    expect([lines.isFull, lines.length]).to.deep.equal([false, 0])
  })

  it('never writes to a chunk that was taken, until it is given back', () => {
    const lines = new NdjsonBuffer(4, 10)
    append(lines, 'abcd')
    const chunk = lines.take()
    append(lines, 'efgh')
    expect(Buffer.from(chunk).toString()).to.equal('abcd')
    lines.recycle(chunk)
    const other = lines.take()
    append(lines, 'ijkl')
    expect([chunk, other].map((each) => Buffer.from(each).toString())).to.deep.equal(['ijkl', 'efgh'])
  })

  it('does not keep chunks that have grown, nor many', () => {
    const lines = new NdjsonBuffer(4, 0)
    append(lines, 'longer than that')
    const grown = lines.take()
    lines.recycle(grown)
    append(lines, 'abcd')
    expect(Buffer.from(grown).toString()).to.equal('longer than that')
    const taken = Array.from({ length: 9 }, () => lines.take())
    for (const each of taken) lines.recycle(each)
    const again = Array.from({ length: 9 }, () => lines.take().buffer)
    expect(again.filter((each) => taken.some(({ buffer }) => buffer === each))).to.have.length(4)
  })

  it('may have its chunks transferred', () => {
    const lines = new NdjsonBuffer(4)
    append(lines, 'abcd')
    const chunk = lines.take()
    const sent = structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] })
    expect(Buffer.from(sent).toString()).to.equal('abcd')
    append(lines, 'efgh')
    expect(Buffer.from(lines.take()).toString()).to.equal('efgh')
  })
})
