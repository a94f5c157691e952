import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { PatientSet } from '../../../plugin/search/scan-patients.js'

function has(set: PatientSet, id: string): boolean {
  const bytes = Buffer.from(`[${id}]`)
  return set.has(bytes, 1, bytes.length - 1)
}

describe('PatientSet', () => {
  it('has what was added and nothing else, as a Set does', () => {
    const id = fc.stringMatching(/^[A-Za-z0-9.-]{1,4}$/)
    fc.assert(
      fc.property(fc.array(id, { maxLength: 400 }), fc.array(id, { maxLength: 50 }), (added, asked) => {
        const [set, model] = [new PatientSet(), new Set(added)]
        for (const one of added) set.add(one)
        expect(set.size).to.equal(model.size)
        for (const one of [...added, ...asked, '', 'x'.repeat(300)])
          expect(has(set, one)).to.equal(model.has(one))
      }),
    )
  })

  it('takes 100,000 ids with a tenth of what objects take', () => {
    const set = new PatientSet()
    const ids = Array.from({ length: 100_000 }, () => randomUUID())
    const { arrayBuffers: before } = process.memoryUsage()
    for (const id of ids) set.add(id)
    expect(set.size).to.equal(ids.length)
    expect(ids.every((id) => has(set, id))).to.equal(true)
    expect(has(set, randomUUID())).to.equal(false)
    // What it has outgrown may not have been collected.
    expect(process.memoryUsage().arrayBuffers - before).to.be.below(25 * 2 ** 20)
  })

  it('refuses what is no id', () => {
    expect(() => new PatientSet().add('x'.repeat(256))).to.throw(/64 characters/)
  })
})
