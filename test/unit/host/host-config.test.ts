import { expect } from 'chai'
import type { Db } from 'mongodb'
import { collectionName, createHostConfig, hostTypes } from '../../../scripts/host/index.js'
import { makeResource } from '../../../scripts/host/metadata.js'

/** Enough of a database for services that are never called. */
const db = { collection: () => ({}) } as unknown as Db

describe('createHostConfig', () => {
  it('serves the resource types of the core under their names', () => {
    const types = hostTypes()
    expect(types).to.include.members(['Patient', 'ExplanationOfBenefit', 'Group', 'Binary', 'Bundle', 'Task'])
    expect(types).to.not.include.members(['Resource', 'DomainResource', 'Parameters', 'OperationOutcome'])
    expect(types.filter((type) => !/^[A-Z][A-Za-z]+$/.test(type))).to.deep.equal([])
    const { profiles } = createHostConfig({ db })
    expect(Object.keys(profiles)).to.deep.equal(types)
    expect(profiles['Patient']?.versions).to.deep.equal(['4_0_0'])
    const always = ['search', 'searchById', 'create', 'update', 'remove', 'commaListSize']
    expect(profiles['Patient']?.service).to.have.all.keys(...always)
    const streaming = createHostConfig({ db, streams: true }).profiles['Patient']?.service
    expect(streaming).to.have.all.keys(...always, 'searchStream')
  })

  it('takes settings for a profile', () => {
    const operation = [{ name: 'export' }]
    const { profiles } = createHostConfig({ db, profiles: { Patient: { operation } } })
    expect(profiles['Patient']).to.include({ operation })
    expect(profiles['Patient']).to.have.property('service')
    expect(profiles['Group']).to.not.have.property('operation')
  })

  it('names collections after type and version', () => {
    expect(collectionName('Patient', '4_0_0')).to.equal('Patient_4_0_0')
  })
})

describe('makeResource', () => {
  const typesOf = (args: Parameters<typeof makeResource>[0]) =>
    Object.fromEntries(makeResource(args).searchParam.map(({ name, type }) => [name, type]))

  it('lets numbers and quantities through the sanitizer as text', () => {
    const types = typesOf({ base_version: '4_0_0', key: 'observation' })
    expect(types).to.include({
      'value-quantity': 'string',
      date: 'date',
      code: 'token',
      'code-value-date': 'string',
    })
  })

  it('describes what one can search by, with the real types', () => {
    const types = typesOf({ key: 'Observation' })
    expect(types).to.include({ 'value-quantity': 'quantity', date: 'date' })
    expect(types).to.not.have.any.keys('code-value-date', '_content', '_text', '_query')
  })
})
