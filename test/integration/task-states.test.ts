import fc from 'fast-check'
import { useJobRecord } from './job-record.js'
import { STEPS, TaskWorld } from './task-model.js'

const RUNS = 30
const MOST_STEPS = 40
/** In ms; whatever is found by then counts, also when it could still be made shorter. */
const PATIENCE = 100_000

describe('the state machines of jobs and tasks', () => {
  const record = useJobRecord()

  it('microsoft/fhir-server#3742, hapifhir/hapi-fhir#4511: keep their invariants, whatever processes do or die of, in whatever order', async function () {
    this.timeout(PATIENCE + 60_000)
    const runners = [record.jobs, await record.connect(60_000), await record.connect(60_000)]
    const steps = fc.array(fc.tuple(fc.constantFrom(...STEPS), fc.nat({ max: 999 }), fc.nat({ max: 999 })), {
      ...{ minLength: 10, maxLength: MOST_STEPS, size: 'max' },
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        run += 1
        const world = new TaskWorld(record, runners, `r${run}`)
        try {
          for (const which of [0, 1]) {
            await world.take('accept', run + which, 0)
            await world.take('plan', which, 0)
          }
          for (const step of given) await world.take(...step)
        } finally {
          await world.clear()
        }
      }),
      { numRuns: RUNS, interruptAfterTimeLimit: PATIENCE, markInterruptAsFailure: false },
    )
  })
})
