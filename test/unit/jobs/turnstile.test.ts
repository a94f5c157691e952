import { expect } from 'chai'
import fc from 'fast-check'
import { turnstile } from '../../../plugin/jobs/turnstile.js'

describe('a turnstile', () => {
  it('lets no more in than it may, all in their order, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.boolean()),
        async (s, most, fails) => {
          const pass = turnstile(most)
          const entered: number[] = []
          let inside = 0
          const all = fails.map((isFailing, index) =>
            pass(async () => {
              entered.push(index)
              inside += 1
              expect(inside).to.be.at.most(most)
              await s.schedule(Promise.resolve())
              inside -= 1
              if (isFailing) throw new Error('failed')
              return index
            }),
          )
          const outcomes = Promise.allSettled(all)
          await s.waitFor(outcomes)
          const values = (await outcomes).map((outcome) =>
            outcome.status === 'fulfilled' ? outcome.value : undefined,
          )
          expect(values).to.deep.equal(fails.map((isFailing, index) => (isFailing ? undefined : index)))
          expect(entered).to.deep.equal(fails.map((_, index) => index))
        },
      ),
    )
  })
})
