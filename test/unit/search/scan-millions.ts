import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'
import { Transcoder } from '../../../plugin/search/scan-transcoder.js'
import { lineByObjects, RandomDocuments, stored } from './scan-documents.js'

// The property test of scan-property.test.ts with as many documents as one likes:
// npx tsx test/unit/search/scan-millions.ts [documents] [seed]

const [documents = '1000000', seed = '1'] = process.argv.slice(2)
const random = new RandomDocuments(Number(seed))
const transcoder = new Transcoder()
const into = new NdjsonBuffer(0, 0)
for (let count = 1; count <= Number(documents); count++) {
  const bytes = stored(random.next(), count % 7)
  const problem = transcoder.transcode(bytes, into)
  const line = Buffer.from(into.take()).toString()
  const expected = lineByObjects(bytes)
  if (problem !== undefined || line !== expected) {
    throw new Error(`document ${count}: ${problem?.message ?? ''}\n${line}\n${expected}`)
  }
  if (count % 100_000 === 0) console.log(`${count} documents are the same`)
}
