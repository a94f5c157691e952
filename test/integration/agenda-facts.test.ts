import { MongoBackend } from '@agendajs/mongo-backend'
import { Agenda } from 'agenda'
import { expect } from 'chai'
import { createConnection } from 'mongoose'
import { useDatabase } from '../support/mongodb.js'
import { Calls } from './calls.js'

// What plugin/jobs/queue.ts takes for granted. Where a new version of Agenda differs, the queue may be simpler.
describe('Agenda', () => {
  const database = useDatabase()

  it('never ends a handler with two parameters', async () => {
    const connection = await createConnection(database.uri).asPromise()
    const agenda = new Agenda({
      backend: new MongoBackend({ mongo: connection.db as NonNullable<typeof connection.db> }),
      processEvery: 50,
    })
    agenda.on('error', () => {})
    const returned = new Calls()
    const completed = new Calls()
    for (const name of ['one', 'two']) agenda.on(`complete:${name}`, () => completed.add(name))
    const options = { lockLifetime: 2000 }
    agenda.define('two', async (_job: unknown, _done: unknown) => returned.add('two'), options)
    agenda.define('one', async (_job: unknown) => returned.add('one'), options)
    await agenda.start()
    try {
      await agenda.now('two', {})
      await returned.reached(1)
      await agenda.now('one', {})
      await completed.reached(1)
      expect(returned.all).to.deep.equal(['two', 'one'])
      expect(completed.all).to.deep.equal(['one'])
    } finally {
      await agenda.stop(false)
      await connection.close()
    }
  })
})
