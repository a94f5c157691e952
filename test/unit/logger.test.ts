import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { createLogger } from '../../config/logger.js'
import type { LogLevel } from '../../config/settings.js'

function logTo(logLevel: LogLevel, isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY })
  return { logger: createLogger({ logLevel }, stream), read: () => String(stream.read() ?? '') }
}

describe('createLogger', () => {
  it('writes one JSON object a line when nobody watches', () => {
    const { logger, read } = logTo('info', false)
    logger.info('job.accepted', { job: 'a1', types: ['Patient'] })
    const line = read()
    expect(line.match(/\n/g)).to.have.length(1)
    const { timestamp, ...rest } = JSON.parse(line)
    expect(Date.parse(timestamp)).to.be.closeTo(Date.now(), 10_000)
    expect(rest).to.deep.equal({ level: 'info', message: 'job.accepted', job: 'a1', types: ['Patient'] })
  })

  it('keeps what an error says, with its cause', () => {
    const { logger, read } = logTo('info', false)
    const cause = Object.assign(new TypeError('no disk'), { code: 'ENOSPC' })
    logger.error('job.failed', { error: new Error('not written', { cause }) })
    const { error } = JSON.parse(read())
    expect(error).to.include({ name: 'Error', message: 'not written' })
    expect(error.stack).to.include('logger.test.ts')
    expect(error.cause).to.include({ name: 'TypeError', message: 'no disk', code: 'ENOSPC' })
  })

  it('writes a readable line at a terminal', () => {
    const { logger, read } = logTo('info', true)
    logger.warn('task.retried', { task: 'a1.3', attempt: 2, reason: 'lease over', error: new Error('gone') })
    expect(read()).to.match(
      /^\d\d:\d\d:\d\d\.\d{3} warn {2}task\.retried task=a1\.3 attempt=2 reason="lease over" error="Error: gone"\n$/,
    )
  })

  it('leaves out what is less important than the level', () => {
    const { logger, read } = logTo('warn', false)
    logger.info('job.accepted')
    expect(read()).to.equal('')
    logger.warn('task.retried')
    expect(read()).to.include('task.retried')
  })
})
