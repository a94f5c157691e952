import { expect } from 'chai'
import fc from 'fast-check'
import type { Resource } from '../../../plugin/fhir/resource.js'
import type { Position } from '../../../plugin/jobs/model.js'
import { cutIntoParts, type FileLimits } from '../../../plugin/jobs/output.js'
import type { ReadResource } from '../../../plugin/jobs/reading.js'

/** A part after it was drained. */
interface Drained {
  readonly text: string
  readonly chunks: readonly number[]
  readonly resources: number
  readonly bytes: number
  readonly position: Position
}

const positionAfter = (index: number): Position => ({ path: 0, finished: index + 1, lastId: `r${index}` })

async function* read(resources: readonly Resource[]): AsyncGenerator<ReadResource> {
  for (const [index, resource] of resources.entries()) yield { resource, position: positionAfter(index) }
}

async function drain(source: AsyncGenerator<ReadResource>, limits: FileLimits): Promise<readonly Drained[]> {
  const drained: Drained[] = []
  for await (const part of cutIntoParts(source, limits)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of part.lines ?? []) chunks.push(chunk)
    drained.push({
      text: Buffer.concat(chunks).toString(),
      chunks: chunks.map((chunk) => chunk.length),
      ...part.size,
      position: part.position,
    })
  }
  return drained
}

const patient = (index: number, text = '') => ({ resourceType: 'Patient', id: `r${index}`, text })
const lineOf = (resource: object) => `${JSON.stringify(resource)}\n`

// Characters of one to four bytes, those that JSON escapes, separators of lines, and half of a pair.
const unit = fc.constantFrom(...'aZ "\\\n\r\t\u0000\u2028\u2029äß€日\u{1f600}', '\ud800')
const text = fc.oneof(
  fc.string({ unit, maxLength: 20 }),
  fc.nat({ max: 3000 }).map((length) => 'é'.repeat(length)),
)
const limits = fc.record({
  resources: fc.integer({ min: 1, max: 6 }),
  bytes: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 400, max: 20_000 })),
})

describe('cutIntoParts', () => {
  it('cuts any sequence into parts that together are all of it, in order, and within the limits [FL-05]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 30 }), limits, async (texts, given) => {
        const resources = texts.map((content, index) => patient(index, content))
        const parts = await drain(read(resources), given)
        const lines = resources.map(lineOf)
        expect(parts.map((part) => part.text).join('')).to.equal(lines.join(''))
        let index = 0
        for (const part of parts) {
          const own = part.text.split('\n').slice(0, -1)
          expect(own.length, 'resources').to.equal(part.resources).and.within(1, given.resources)
          expect(Buffer.byteLength(part.text), 'bytes').to.equal(part.bytes)
          if (part.resources > 1) expect(part.bytes).to.be.at.most(given.bytes)
          index += part.resources
          expect(part.position).to.deep.equal(positionAfter(index - 1))
          // Full: the resource that comes next would have been too much.
          const next = lines[index]
          if (next === undefined) continue
          const isFull =
            part.resources === given.resources || part.bytes + Buffer.byteLength(next) > given.bytes
          expect(isFull, 'full').to.equal(true)
        }
        expect(index).to.equal(resources.length)
      }),
    )
  })

  it('writes every resource up to the size limit of one, and names each that is larger by a byte', async () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 40, max: 100 }), async (lengths, resourceBytes) => {
        const resources = lengths.map((length, index) => patient(index, 'é'.repeat(length)))
        const isFit = (resource: object) => Buffer.byteLength(lineOf(resource)) <= resourceBytes
        const written: string[] = []
        const named: string[] = []
        const limits = { resources: 7, bytes: 500, resourceBytes }
        for await (const part of cutIntoParts(read(resources), limits)) {
          for await (const chunk of part.lines ?? []) written.push(Buffer.from(chunk).toString())
          for (const problem of part.problems) {
            const [issue] = problem['issue'] as { code: string; diagnostics: string }[]
            expect(issue?.code).to.equal('too-long')
            named.push(
              /^Patient\/(r\d+) could not be exported: it takes \d+ bytes/.exec(
                issue?.diagnostics ?? '',
              )?.[1] ?? '',
            )
          }
        }
        expect(written.join('')).to.equal(resources.filter(isFit).map(lineOf).join(''))
        expect(named).to.deep.equal(resources.filter((one) => !isFit(one)).map(({ id }) => id))
      }),
    )
  })

  it('makes no part of nothing [EE-02]', async () => {
    expect(await drain(read([]), { resources: 1, bytes: 1 })).to.deep.equal([])
  })

  it('gives a resource that is larger than the limit a part of its own', async () => {
    const resources = [patient(0), patient(1, 'x'.repeat(5000)), patient(2), patient(3)]
    const parts = await drain(read(resources), { resources: 100, bytes: 1000 })
    expect(parts.map((part) => part.resources)).to.deep.equal([1, 1, 2])
    expect(parts[1]?.bytes).to.equal(lineOf(resources[1] as object).length)
  })

  it('fills a part up to exactly the limit of bytes', async () => {
    const bytes = Buffer.byteLength(lineOf(patient(0)))
    for (const [limit, expected] of [
      [2 * bytes, [2, 2]],
      [2 * bytes - 1, [1, 1, 1, 1]],
      [2 * bytes + 1, [2, 2]],
    ] as const) {
      const parts = await drain(read([0, 1, 2, 3].map((index) => patient(index))), {
        resources: 100,
        bytes: limit,
      })
      expect(parts.map((part) => part.resources)).to.deep.equal(expected)
    }
  })

  it('never writes the fields that only a storage has [FL-07]', async () => {
    const fields: readonly object[] = [{ _id: 'x' }, { __v: 0 }, { _id: 7, __v: 1 }, { _id: undefined }, {}]
    const resources = fields.map((own, index) => ({ ...own, ...patient(index), _birthDate: { id: 'kept' } }))
    const [part] = await drain(read(resources), { resources: 10, bytes: 1_000_000 })
    const expected = fields.map((_, index) => lineOf({ ...patient(index), _birthDate: { id: 'kept' } }))
    expect(part?.text).to.equal(expected.join(''))
  })

  it('keeps such names inside of a resource, where they are somebody else’s', async () => {
    const resource = { ...patient(0), contained: [{ resourceType: 'Basic', _id: 'x', __v: 1 }] }
    const [part] = await drain(read([resource]), { resources: 10, bytes: 1_000_000 })
    expect(part?.text).to.equal(lineOf(resource))
  })

  it('hands large parts on in pieces', async () => {
    const resources = Array.from({ length: 300 }, (_, index) => patient(index, 'x'.repeat(10_000)))
    const [part, ...more] = await drain(read(resources), { resources: 1000, bytes: 100_000_000 })
    expect(more).to.deep.equal([])
    expect(part?.bytes).to.be.above(3_000_000)
    expect(Math.max(...(part?.chunks ?? []))).to.be.below(300_000)
  })

  it('reads one resource ahead and no more', async () => {
    let asked = 0
    async function* counted() {
      for await (const item of read(Array.from({ length: 20 }, (_, index) => patient(index)))) {
        asked += 1
        yield item
      }
    }
    let written = 0
    for await (const part of cutIntoParts(counted(), { resources: 3, bytes: 1_000_000 })) {
      expect(asked).to.equal(written + 1)
      for await (const _ of part.lines ?? []) {
        // Drained for its figures.
      }
      written += part.size.resources
    }
    expect(written).to.equal(20)
  })

  it('ends the reading when whoever writes gives up', async () => {
    for (const where of ['before', 'within', 'after'] as const) {
      let isClosed = false
      async function* closing() {
        try {
          yield* read(Array.from({ length: 9 }, (_, index) => patient(index)))
        } finally {
          isClosed = true
        }
      }
      const giveUp = async () => {
        for await (const part of cutIntoParts(closing(), { resources: 2, bytes: 1_000_000 })) {
          if (where === 'before') throw new Error('full')
          for await (const _ of part.lines ?? []) if (where === 'within') throw new Error('full')
          throw new Error('full')
        }
      }
      const error: unknown = await giveUp().catch((reason: unknown) => reason)
      expect(error, where).to.have.property('message', 'full')
      expect(isClosed, where).to.equal(true)
    }
  })

  it('passes on that the reading failed, after what came before it', async () => {
    async function* failing() {
      yield* read([patient(0), patient(1), patient(2)])
      throw new Error('the service is gone')
    }
    const seen: string[] = []
    const run = async () => {
      for await (const part of cutIntoParts(failing(), { resources: 2, bytes: 1_000_000 })) {
        for await (const chunk of part.lines ?? []) seen.push(Buffer.from(chunk).toString())
      }
    }
    const error: unknown = await run().catch((reason: unknown) => reason)
    expect(error).to.have.property('message', 'the service is gone')
    expect(seen).to.deep.equal([lineOf(patient(0)) + lineOf(patient(1))])
  })
})
