import { setImmediate } from 'node:timers/promises'
import { expect } from 'chai'
import type { HeldTask } from '../../../plugin/jobs/task-record.js'
import { beginTurn, type Turn } from '../../../plugin/jobs/turn.js'
import { createTestLogger } from '../../support/logger.js'

const TASK = { _id: 'j-0', job: 'j' } as HeldTask

describe('the turn of a task, while another job waits', () => {
  let turn: Turn
  let began: number
  let looked: Promise<void>
  beforeEach(() => {
    began = performance.now()
    looked = new Promise((resolve) => {
      const isOtherJobWaiting = async () => {
        resolve()
        return true
      }
      const { logger } = createTestLogger()
      turn = beginTurn(TASK, 0, { jobs: { isOtherJobWaiting }, logger }, new AbortController().signal)
    })
  })
  afterEach(() => turn.release())

  it('is over when it is seen that it waits, if it went on at once', async () => {
    turn.wentOn()
    const wentOn = performance.now()
    expect(turn.isOver).to.equal(false)
    await looked
    await setImmediate()
    expect(performance.now() - began).to.be.above(wentOn - began)
    expect(turn.isOver).to.equal(true)
  })

  it('is not over while it comes back to where it was, nor before it has gone on for as long', async () => {
    await looked
    await setImmediate()
    expect(turn.isOver, 'on the way back').to.equal(false)
    turn.wentOn()
    const back = performance.now() - began
    expect(turn.isOver, 'just there').to.equal(false)
    while (!turn.isOver) await setImmediate()
    expect(performance.now() - began).to.be.at.least(2 * back - 5)
    // What comes later does not begin it anew.
    turn.wentOn()
    expect(turn.isOver).to.equal(true)
  })
})
