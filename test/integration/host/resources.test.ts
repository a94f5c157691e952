import { expect } from 'chai'
import { hostTypes } from '../../../scripts/host/index.js'
import { useDatabase } from '../../support/mongodb.js'
import { type HostServer, startHost } from './host-server.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

interface Read {
  readonly id: string
  readonly meta: { readonly versionId: string; readonly lastUpdated: string }
  readonly [element: string]: unknown
}

describe('resources of the example host', () => {
  const database = useDatabase()
  let host: HostServer

  beforeEach(async () => {
    host = await startHost(database.db, ['Patient', 'Observation'])
  })
  afterEach(() => host.close())

  const read = async (path: string) => (await (await host.send('GET', path)).json()) as Read
  const outcomeOf = async (answer: Response) => {
    const { resourceType, issue } = (await answer.json()) as {
      resourceType: string
      issue: { code: string }[]
    }
    return [answer.status, resourceType, issue[0]?.code]
  }

  it('are made under an id of the server', async () => {
    const content = { resourceType: 'Patient', name: [{ family: '$name' }], meta: { tag: [{ code: 'x' }] } }
    const answer = await host.send('POST', 'Patient', { ...content, id: 'mine', _id: 'mine' })
    expect(answer.status).to.equal(201)
    const id = answer.headers.get('location')?.replace('4_0_0/Patient/', '') ?? ''
    expect(id).to.match(UUID)
    const stored = await read(`Patient/${id}`)
    expect(stored).to.deep.include({ resourceType: 'Patient', id, name: [{ family: '$name' }] })
    expect(stored).to.not.have.property('_id')
    expect(stored.meta).to.deep.include({ versionId: '1', tag: [{ code: 'x' }] })
    expect(stored.meta.lastUpdated).to.match(INSTANT)
  })

  it('are read with their version', async () => {
    await host.send('PUT', 'Patient/p', { resourceType: 'Patient', id: 'p' })
    const answer = await host.send('GET', 'Patient/p')
    expect(answer.status).to.equal(200)
    expect(answer.headers.get('content-type')).to.match(/^application\/fhir\+json/)
    expect(answer.headers.get('etag')).to.equal('W/"1"')
  })

  it('are replaced, or made, under an id of the client', async () => {
    const put = (content: object) =>
      host.send('PUT', 'Patient/p', { resourceType: 'Patient', id: 'p', ...content })
    expect((await put({ active: true, gender: 'male' })).status).to.equal(201)
    const first = await read('Patient/p')
    expect(first.meta.versionId).to.equal('1')
    const answer = await put({ name: [{ text: '$$ROOT' }], meta: { versionId: '77', lastUpdated: '2000' } })
    expect(answer.status).to.equal(200)
    expect(answer.headers.get('location')).to.equal('4_0_0/Patient/p')
    const second = await read('Patient/p')
    expect(second).to.have.all.keys('resourceType', 'id', 'name', 'meta')
    expect(second).to.deep.include({ name: [{ text: '$$ROOT' }] })
    expect(second.meta.versionId).to.equal('2')
    expect(second.meta.lastUpdated >= first.meta.lastUpdated).to.equal(true)
  })

  it('get each version number once, however many clients replace them', async () => {
    const put = () => host.send('PUT', 'Patient/p', { resourceType: 'Patient', id: 'p' })
    const answers = await Promise.all(Array.from({ length: 20 }, put))
    const versions = answers.map((answer) => Number(answer.headers.get('etag'))).sort((a, b) => a - b)
    expect(versions).to.deep.equal(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(answers.filter(({ status }) => status === 201)).to.have.length(1)
  })

  it('count on from a version that is no number', async () => {
    const document = { _id: 'p', resourceType: 'Patient', id: 'p', meta: { versionId: 'abc' } }
    await database.db.collection<{ _id: string }>('Patient_4_0_0').insertOne(document)
    await host.send('PUT', 'Patient/p', { resourceType: 'Patient', id: 'p' })
    expect((await read('Patient/p')).meta.versionId).to.equal('1')
  })

  it('are deleted, also when they are not there', async () => {
    await host.send('PUT', 'Patient/p', { resourceType: 'Patient', id: 'p' })
    expect((await host.send('DELETE', 'Patient/p')).status).to.equal(204)
    expect((await host.send('DELETE', 'Patient/p')).status).to.equal(204)
    expect(await outcomeOf(await host.send('GET', 'Patient/p'))).to.deep.equal([
      404,
      'OperationOutcome',
      'not-found',
    ])
    expect(await host.searchAll('Patient')).to.deep.equal([])
  })

  it('must be resources of the type, with the id of the URL', async () => {
    const patient = { resourceType: 'Patient', id: 'p' }
    const refused = [400, 'OperationOutcome', 'invalid']
    for (const [method, path, resource] of [
      ['POST', 'Patient', { resourceType: 'Observation' }],
      ['POST', 'Patient', {}],
      ['POST', 'Patient', [patient]],
      ['POST', 'Patient', { ...patient, meta: 'x' }],
      ['PUT', 'Patient/q', patient],
      ['PUT', 'Patient/q', { resourceType: 'Patient' }],
      ['PUT', 'Patient/a_b', { resourceType: 'Patient', id: 'a_b' }],
      ['PUT', 'Observation/p', patient],
    ] as const) {
      expect(
        await outcomeOf(await host.send(method, path, resource)),
        JSON.stringify(resource),
      ).to.deep.equal(refused)
    }
    // The core reads no other content type: the service is given nothing.
    expect(await outcomeOf(await host.send('POST', 'Patient', patient, 'application/json'))).to.deep.equal(
      refused,
    )
    expect(await host.searchAll('Patient')).to.deep.equal([])
  })

  it('bring the indexes of their collection with them', async () => {
    await host.send('POST', 'Observation', { resourceType: 'Observation' })
    const indexes = await database.db.collection('Observation_4_0_0').indexes()
    expect(indexes.map(({ key }) => Object.keys(key).join(' '))).to.have.members([
      '_id',
      'meta.lastUpdated',
      'subject.reference _id',
      'performer.reference _id',
    ])
  })
})

describe('all types of the example host', () => {
  const database = useDatabase()
  let host: HostServer

  beforeEach(async () => {
    host = await startHost(database.db, hostTypes())
  })
  afterEach(() => host.close())

  it('can be searched, also when nothing is stored', async () => {
    for (const type of hostTypes()) {
      const answer = await host.send('GET', `${type}?_count=1&_lastUpdated=gt2020`)
      expect(answer.status, type).to.equal(200)
      const { entry } = (await answer.json()) as { entry?: object[] }
      expect(entry, type).to.equal(undefined)
    }
  })

  it('are in the CapabilityStatement, with the parameters that one can search by', async () => {
    const answer = await host.send('GET', 'metadata')
    expect(answer.status).to.equal(200)
    const { rest } = (await answer.json()) as {
      rest: {
        resource: {
          type: string
          interaction: { code: string }[]
          searchParam: { name: string; type: string }[]
        }[]
      }[]
    }
    const resources = rest[0]?.resource ?? []
    expect(resources.map(({ type }) => type)).to.deep.equal(hostTypes())
    const observation = resources.find(({ type }) => type === 'Observation')
    // The core keeps the interactions of a type for the whole process, those of an earlier test's host too.
    expect(observation?.interaction.map(({ code }) => code)).to.include('search-type')
    const parameters = new Map(observation?.searchParam.map(({ name, type }) => [name, type]))
    expect(parameters.get('value-quantity')).to.equal('quantity')
    expect(parameters.get('date')).to.equal('date')
    expect(parameters.has('code-value-quantity')).to.equal(false)
    expect(parameters.has('_content')).to.equal(false)
  })
})
