import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { BSON } from 'mongodb'
import { NdjsonBuffer } from '../../plugin/search/scan-buffer.js'
import { ResourceHead } from '../../plugin/search/scan-head.js'
import { Transcoder } from '../../plugin/search/scan-transcoder.js'
import { population } from '../population/index.js'

// How fast BSON becomes NDJSON, by processor time and without a database, against the way that makes objects:
// npx tsx scripts/bench/transcoder.ts [--patients 300 | --folder with/Type.ndjson.gz] [--rounds 15]

const { values: flags } = parseArgs({
  options: {
    patients: { type: 'string', default: '300' },
    folder: { type: 'string' },
    rounds: { type: 'string', default: '15' },
  },
})
const documents = oneBatch(flags.folder === undefined ? generated() : read(flags.folder))
const megabytes = documents.reduce((sum, { length }) => sum + length, 0) / 1e6

const transcoder = new Transcoder()
const lines = new NdjsonBuffer()
const head = new ResourceHead()
const contenders = new Map<string, { readonly run: () => void; readonly seconds: number[] }>([
  ['transcode', { run: () => documents.forEach(transcode), seconds: [] }],
  ['transcode, read the head', { run: () => documents.forEach(transcodeWithHead), seconds: [] }],
  ['deserialize, stringify', { run: () => documents.forEach(lineByObjects), seconds: [] }],
])

checkEquality()
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const { run, seconds } of contenders.values()) {
    const started = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(started)
    seconds.push((user + system) / 1e6)
  }
}
console.log(`${documents.length} documents, ${megabytes.toFixed(1)} MB of BSON, ${flags.rounds} rounds`)
for (const [name, { seconds }] of contenders) {
  seconds.sort((one, other) => one - other)
  const [least = 0, median = 0] = [seconds[0], seconds[seconds.length >> 1]]
  const speed = (time: number) =>
    `${(megabytes / time).toFixed(0).padStart(5)} MB/s ${(documents.length / time).toFixed(0).padStart(8)} documents/s`
  console.log(`${name.padEnd(26)} best ${speed(least)}   median ${speed(median)}`)
}

function transcode(document: Buffer): void {
  const problem = transcoder.transcode(document, lines)
  if (problem !== undefined) throw new Error(problem.message)
  if (lines.isFull) lines.recycle(lines.take())
}

function transcodeWithHead(document: Buffer): void {
  head.read(document)
  if (!head.isOfType('') && head.lastUpdated < 0) throw new Error('A resource of before 1970')
  transcode(document)
}

function lineByObjects(document: Buffer): string {
  const { _id, ...resource } = BSON.deserialize(document)
  return `${JSON.stringify(resource)}\n`
}

function checkEquality(): void {
  for (const document of documents) {
    lines.recycle(lines.take())
    transcode(document)
    const line = lines.bytes.toString('utf8', 0, lines.length)
    if (line !== lineByObjects(document)) throw new Error(`These differ:\n${line}${lineByObjects(document)}`)
  }
}

/** As they come from a cursor: parts of one buffer. */
function oneBatch(resources: Iterable<object>): readonly Buffer[] {
  const all = Array.from(resources, (resource) => BSON.serialize({ _id: new BSON.ObjectId(), ...resource }))
  const batch = Buffer.concat(all)
  let at = 0
  return all.map(({ length }) => {
    at += length
    return batch.subarray(at - length, at)
  })
}

function generated(): Iterable<object> {
  return population({ patients: Number(flags.patients) })
}

function* read(folder: string): Generator<object> {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.ndjson.gz'))) {
    const text = gunzipSync(readFileSync(join(folder, name))).toString()
    for (const line of text.split('\n')) if (line !== '') yield JSON.parse(line)
  }
}
