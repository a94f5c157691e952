import { once } from 'node:events'
import { expect } from 'chai'
import { type CommandStartedEvent, type Db, MongoClient, ReadConcern } from 'mongodb'
import { type Batches, CursorBatches, type ScanQuery } from '../../plugin/search/scan-batches.js'
import { CommandBatches } from '../../plugin/search/scan-command.js'
import { BatchSource } from '../../plugin/search/scan-source.js'
import { useDatabase } from '../support/mongodb.js'
import { type ReplicaPair, startReplicaPair } from '../support/replica-pair.js'
import { until } from '../support/until.js'

const ALL: ScanQuery = { filter: {}, options: { hint: { _id: 1 } } }
const KINDS = { 'by commands': CommandBatches, 'through cursors': CursorBatches } as const
const KIB = 1024

async function lengthsOf(batches: Batches): Promise<number[][]> {
  const lengths: number[][] = []
  for (;;) {
    const batch = await batches.next()
    if (batch === undefined) return lengths
    const documents: number[] = []
    for (let next = batch.next(); next !== undefined; next = batch.next()) documents.push(next.length)
    lengths.push(documents)
  }
}

describe('batches of documents', () => {
  const database = useDatabase()
  let client: MongoClient
  let db: Db
  const started: CommandStartedEvent[] = []
  const cursorsOpen = async () => {
    const { metrics } = await db.admin().serverStatus()
    return metrics.cursor.open.total as number
  }
  const fill = (sizes: readonly number[]) =>
    db
      .collection('Patient')
      .insertMany(sizes.map((size, index) => ({ _id: index as never, text: 'x'.repeat(size) })))
  const open = (Kind: (typeof KINDS)[keyof typeof KINDS], query = ALL, batchSize = 4000) =>
    new Kind(db, 'Patient', query, { batchSize })

  beforeEach(async () => {
    client = await MongoClient.connect(database.uri, { monitorCommands: true })
    client.on('commandStarted', (event) => started.push(event))
    db = client.db(database.name)
    started.length = 0
  })
  afterEach(() => client.close())

  for (const [how, Kind] of Object.entries(KINDS)) {
    describe(how, () => {
      it('give each document once, in order, whatever its size', async () => {
        const sizes = Array.from({ length: 1234 }, (_, index) => (index * 7919) % 5000)
        await fill([...sizes, 3 * KIB * KIB, 0, 12 * KIB * KIB, 1])
        const expected = (
          await db.collection('Patient').find({}, { raw: true }).sort({ _id: 1 }).toArray()
        ).map((raw) => (raw as unknown as Buffer).length)
        const batches = open(Kind)
        expect((await lengthsOf(batches)).flat()).to.deep.equal(expected)
        await batches.close()
      })

      it('hand out a document once more', async () => {
        await fill([1, 2, 3])
        const batches = open(Kind)
        const batch = await batches.next()
        const [first, second] = [batch?.next(), batch?.next()]
        batch?.back()
        expect(batch?.next()).to.deep.equal(second)
        expect(second).not.to.deep.equal(first)
        expect([batch?.next()?.length, batch?.next()]).to.deep.equal([(first?.length ?? 0) + 2, undefined])
        await batches.close()
      })

      it('leave no query on the server when they are closed early', async () => {
        await fill(new Array(2000).fill(10))
        const before = await cursorsOpen()
        for (const asked of [0, 1, 2]) {
          const batches = open(Kind, ALL, 100)
          for (let index = 0; index < asked; index++) await batches.next()
          await batches.close()
        }
        const waiting = open(Kind, ALL, 100)
        const coming = waiting.next().catch(() => undefined)
        await waiting.close()
        await coming
        await until(async () => (await cursorsOpen()) <= before)
        await waiting.close()
      })

      it('end a query on the server that has not answered yet', async () => {
        await fill(new Array(500).fill(10))
        const slow = { filter: { $where: 'sleep(200) || false' }, options: {} }
        const isRunning = async () => {
          const { inprog } = await db.admin().command({ currentOp: 1, ns: `${db.databaseName}.Patient` })
          return (inprog as unknown[]).length > 0
        }
        const batches = open(Kind, slow)
        const coming = batches.next().catch((error: unknown) => error)
        await until(isRunning)
        await batches.close()
        expect(await coming).to.be.an('error')
        await until(async () => !(await isRunning()))
      })

      it('tell that the query has ended on the server', async () => {
        await fill(new Array(2000).fill(10))
        const batches = open(Kind, ALL, 100)
        await batches.next()
        await db.collection('Patient').drop()
        let error: unknown
        for (let count = 0; count < 20 && error === undefined; count++) {
          const batch = await batches.next().catch((thrown: unknown) => {
            error = thrown
          })
          if (batch === undefined) break
        }
        expect(error).to.have.property('codeName', 'QueryPlanKilled')
        await batches.close()
      })
    })
  }

  it('ask for few large documents and for many small ones', async () => {
    await fill([...new Array(300).fill(100 * KIB), ...new Array(3000).fill(10)])
    const batches = open(CommandBatches)
    await lengthsOf(batches)
    await batches.close()
    const asked = started.flatMap(({ command }) => command['batchSize'] ?? [])
    expect(asked[0]).to.equal(100)
    expect(Math.min(...asked)).to.be.within(9, 11)
    expect(Math.max(...asked))
      .to.be.greaterThan(500)
      .and.at.most(4000)
  })

  it('ask for the next batch before the one at hand is done', async () => {
    await fill(new Array(500).fill(10))
    const batches = open(CommandBatches, ALL, 100)
    await batches.next()
    while (!started.some(({ commandName }) => commandName === 'getMore')) await once(client, 'commandStarted')
    await batches.close()
  })

  it('read by the read concern of the database', async () => {
    await fill([1])
    const majority = client.db(database.name, { readConcern: new ReadConcern('majority') })
    const batches = new CommandBatches(majority, 'Patient', ALL, { batchSize: 10 })
    await lengthsOf(batches)
    await batches.close()
    expect(started.find(({ commandName }) => commandName === 'find')?.command['readConcern']).to.deep.include(
      {
        level: 'majority',
      },
    )
  })
})

describe('batches of a replica set with a secondary', function () {
  this.timeout(120_000)
  let pair: ReplicaPair
  before(async () => {
    pair = await startReplicaPair()
  })
  after(() => pair?.stop())

  it('wait until a secondary has all that the primary has', async () => {
    const db = pair.client.db('lagging')
    const patients = db.collection('Patient')
    await patients.insertOne({ name: 'first' }, { writeConcern: { w: 2 } })
    await pair.lag()
    try {
      await patients.insertOne({ name: 'second' }, { writeConcern: { w: 1 } })
      const batches = new BatchSource(db, { readPreference: 'secondary', batchSize: 10 }).open('Patient', ALL)
      let isHere = false
      const lengths = lengthsOf(batches).finally(() => {
        isHere = true
      })
      const behind = await patients.find({}, { readPreference: 'secondary' }).toArray()
      expect(behind).to.have.length(1)
      expect(isHere).to.equal(false)
      await pair.follow()
      expect((await lengths).flat()).to.have.length(2)
      await batches.close()
    } finally {
      await pair.follow()
    }
  })
})
