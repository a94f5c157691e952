import { expect } from 'chai'
import { waitForDocument } from '../support/change-stream.js'
import { useDatabase } from '../support/mongodb.js'

interface Counter {
  _id: string
  n: number
}

describe('waitForDocument', () => {
  const database = useDatabase()
  const counters = () => database.db.collection<Counter>('counters')

  it('resolves with a document that is there already', async () => {
    await counters().insertOne({ _id: 'a', n: 3 })
    expect(await waitForDocument(counters(), ({ n }) => n === 3)).to.deep.equal({ _id: 'a', n: 3 })
  })

  it('resolves with a document that comes later, inserted or changed', async () => {
    const inserted = waitForDocument(counters(), ({ _id, n }) => _id === 'b' && n === 1)
    await counters().insertOne({ _id: 'a', n: 1 })
    await counters().insertOne({ _id: 'b', n: 1 })
    expect(await inserted).to.deep.equal({ _id: 'b', n: 1 })
    const changed = waitForDocument(counters(), ({ n }) => n === 3)
    await counters().updateOne({ _id: 'a' }, { $set: { n: 3 } })
    expect(await changed).to.deep.equal({ _id: 'a', n: 3 })
  })

  it('misses no document that is written while it starts to wait', async () => {
    const waiting = Array.from({ length: 20 }, async (_, n) => {
      const found = waitForDocument(counters(), (counter) => counter.n === n)
      await counters().insertOne({ _id: String(n), n })
      return (await found)._id
    })
    expect(await Promise.all(waiting)).to.deep.equal(Array.from({ length: 20 }, (_, n) => String(n)))
  })

  it('says what it saw when the time is over', async () => {
    await counters().insertOne({ _id: 'a', n: 1 })
    const error = await waitForDocument(counters(), ({ n }) => n === 2, { timeoutMs: 50 }).catch(String)
    expect(error).to.match(/\.counters: none of \d+ document states was the one waited for/)
    expect(error).to.include('the last was {"_id":"a","n":1} within 50 ms')
  })

  it('rejects with what the predicate throws', async () => {
    await counters().insertOne({ _id: 'a', n: 1 })
    const failing = () => {
      throw new Error('a failed job')
    }
    expect(await waitForDocument(counters(), failing).catch(String)).to.equal('Error: a failed job')
  })
})
