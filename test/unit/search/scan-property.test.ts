import { expect } from 'chai'
import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'
import { Transcoder } from '../../../plugin/search/scan-transcoder.js'
import { lineByObjects, RandomDocuments, stored, UNFIT } from './scan-documents.js'

describe('Transcoder', () => {
  it('writes what JSON.stringify writes, for documents of every kind', () => {
    // Many more can be had by `npx tsx test/unit/search/scan-millions.ts`.
    const documents = new RandomDocuments(7)
    const transcoder = new Transcoder()
    // Without any room to spare, so that each document has exactly what is reserved for it.
    const into = new NdjsonBuffer(0, 0)
    for (let count = 0; count < 20_000; count++) {
      const bytes = stored(documents.next(), count % 5)
      const problem = transcoder.transcode(bytes, into)
      const line = Buffer.from(into.take()).toString()
      if (problem !== undefined || line !== lineByObjects(bytes)) {
        expect({ problem, line }).to.deep.equal({ problem: undefined, line: lineByObjects(bytes) })
      }
    }
  })

  it('goes on with the line after a document with a problem as if that had not been there', () => {
    const documents = new RandomDocuments(8)
    const transcoder = new Transcoder()
    const into = new NdjsonBuffer(0, 0)
    let expected = ''
    for (let count = 0; count < 1000; count++) {
      const document = documents.next()
      const bytes = stored(document)
      expected += lineByObjects(bytes)
      expect(transcoder.transcode(bytes, into)).to.equal(undefined)
      const [kind, , make] = UNFIT[count % UNFIT.length] as (typeof UNFIT)[number]
      const unfit = stored({ ...document, last: { unfit: make() } })
      expect(transcoder.transcode(unfit, into)).to.include({ kind })
    }
    expect(Buffer.from(into.take()).toString()).to.equal(expected)
  })
})
