import { expect } from 'chai'
import { BSON } from 'mongodb'
import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'
import { ResourceHead } from '../../../plugin/search/scan-head.js'
import { Transcoder } from '../../../plugin/search/scan-transcoder.js'
import { lineByObjects, RandomDocuments, type Stored, stored, UNFIT } from './scan-documents.js'

/** Documents with everything in them, types without a place in FHIR JSON too, since those have lengths that can lie. */
function* documents(count: number): Generator<Stored> {
  const random = new RandomDocuments(21)
  for (let number = 0; number < count; number++) {
    const document: Stored = {
      resourceType: 'Patient',
      id: 'x',
      ...random.next(),
      meta: { tag: [{ code: 'x' }, null] },
    }
    const [, , make] = UNFIT[number % UNFIT.length] as (typeof UNFIT)[number]
    yield number % 3 === 0 ? { ...document, last: [make()] } : document
  }
}

/**
 * What is written of corrupt bytes is what the driver reads, or there is a problem. Compared as parsed JSON, where a name that
 * has become the same as another counts once.
 */
function check(bytes: Buffer, transcoder: Transcoder, whatever = false): 'problem' | 'written' {
  const before = Buffer.from(bytes)
  const into = new NdjsonBuffer(0, 0)
  const problem = transcoder.transcode(bytes, into)
  new ResourceHead().read(bytes)
  expect(bytes.equals(before)).to.equal(true)
  const text = Buffer.from(into.take()).toString()
  if (problem !== undefined) {
    expect(text).to.equal('')
    return 'problem'
  }
  const parsed: unknown = JSON.parse(text)
  if (!whatever) expect(parsed).to.deep.equal(JSON.parse(lineOrNone(bytes) ?? text))
  return 'written'
}

/** Nothing if the driver cannot read the document; that is wrong in a storage field then, which is not looked into. */
function lineOrNone(bytes: Buffer): string | undefined {
  try {
    return lineByObjects(bytes)
  } catch {
    const problem = new Transcoder({ storageFields: [] }).transcode(bytes, new NdjsonBuffer(0, 0))
    expect(problem).not.to.equal(undefined)
    return undefined
  }
}

describe('Transcoder, of corrupt documents', () => {
  const transcoder = new Transcoder()
  const subset = new Transcoder({
    elements: { type: 'Patient', asked: ['name', 'element'], version: '4_0_0' },
  })

  it('refuses each document that ends early, as it is and with a length that agrees', () => {
    for (const document of documents(30)) {
      const bytes = stored(document)
      for (let end = 0; end < Math.min(bytes.length, 1500); end++) {
        expect(check(bytes.subarray(0, end), transcoder)).to.equal('problem')
        if (end < 5) continue
        const cut = Buffer.from(bytes.subarray(0, end))
        cut.writeInt32LE(end)
        check(cut, transcoder)
        cut[end - 1] = 0
        check(cut, transcoder)
        check(cut, subset, true)
      }
    }
  })

  it('reads changed bytes as the driver does, or refuses them', () => {
    const random = new RandomDocuments(22)
    const counts = { problem: 0, written: 0 }
    for (const document of documents(250)) {
      const bytes = stored(document)
      for (let round = 0; round < 40; round++) {
        const changed = Buffer.from(bytes)
        for (let flips = 1 + random.below(3); flips > 0; flips--) {
          const at = random.below(changed.length)
          changed[at] =
            random.below(2) === 0 ? random.below(256) : (changed[at] as number) ^ (1 << random.below(8))
        }
        counts[check(changed, transcoder)] += 1
        check(changed, subset, true)
      }
    }
    expect(counts.written).to.be.greaterThan(1000)
    expect(counts.problem).to.be.greaterThan(1000)
  })

  it('refuses lengths that lie, each of them', () => {
    const inner = {
      text: 'abc',
      list: [{ a: 1 }],
      binary: new BSON.Binary(Buffer.alloc(3)),
      code: new BSON.Code('x', { a: 1 }),
    }
    for (const [name, value] of Object.entries(inner)) {
      const bytes = stored({ [name]: value, after: 'x' })
      const at = 4 + 1 + name.length + 1
      const right = bytes.readInt32LE(at)
      for (const length of [0, -1, 1, 4, right - 1, right + 1, right + 8, 0x7fffffff, -0x80000000]) {
        if (length === right) continue
        bytes.writeInt32LE(length, at)
        expect(check(bytes, transcoder), `${name} ${length}`).to.equal('problem')
      }
    }
  })

  it('refuses documents without their terminators, and does not look for them', () => {
    const list = [0x08, 0, 0, 0, 0x08, 0x30, 0x31, 0x01]
    for (const end of [0, 1]) {
      const bytes = Buffer.from([4 + 3 + list.length + 1, 0, 0, 0, 0x04, 0x61, 0, ...list, end])
      expect(transcoder.transcode(bytes, new NdjsonBuffer(0, 0))).to.include({ kind: 'corrupt' })
    }
  })

  it('reads nothing of what stands around a document', () => {
    const bytes = stored({ a: 'x' })
    const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length + 5)
    const into = new NdjsonBuffer(0, 0)
    expect(transcoder.transcode(whole, into)).to.include({ kind: 'corrupt' })
    bytes.writeInt32LE(bytes.length + 1)
    expect(transcoder.transcode(bytes, into)).to.include({ kind: 'corrupt' })
    expect(into.length).to.equal(0)
  })

  it('refuses a boolean that is neither true nor false, and types that do not exist', () => {
    for (const [type, value] of [
      [0x08, 2],
      [0x08, 255],
      [0x14, 0],
      [0x7e, 0],
      [0x80, 0],
    ] as const) {
      const bytes = Buffer.from([9, 0, 0, 0, type, 0x61, 0, value, 0])
      expect(transcoder.transcode(bytes, new NdjsonBuffer(0, 0))).to.include({ kind: 'corrupt' })
    }
  })
})
