import { expect } from 'chai'
import fc from 'fast-check'
import { groupMembers, groupObstacle } from '../../../plugin/fhir/group.js'

const BASE = 'https://fhir.example.org/4_0_0'
const NOW = new Date('2024-01-31T12:00:00.000Z')

const group = (...member: readonly unknown[]) => ({ resourceType: 'Group', id: 'g', member })
const patient = (id: string, rest: object = {}) => ({ entity: { reference: `Patient/${id}` }, ...rest })
const membersAt = (now: Date, ...member: readonly unknown[]) => groupMembers(group(...member), now, BASE)

describe('groupMembers', () => {
  it('tells patients, groups and all others apart, in their order', () => {
    const members = membersAt(
      NOW,
      patient('b'),
      { entity: { reference: 'Group/other' } },
      { entity: { reference: 'Practitioner/x' } },
      { entity: { reference: `${BASE}/Patient/a` } },
      { entity: { reference: 'Patient/c/_history/3' } },
      { entity: { reference: 'https://other.example.org/Patient/d' } },
      { entity: { reference: '#contained' } },
      { entity: { identifier: { value: '1' } } },
      { entity: {} },
      {},
      null,
      'Patient/e',
    )
    expect(members).to.deep.equal({ patients: ['b', 'a', 'c'], groups: ['other'] })
  })

  for (const member of [undefined, [], null, {}, 'Patient/1']) {
    it(`finds nobody when member is ${JSON.stringify(member)}`, () => {
      const resource = { resourceType: 'Group', ...(member === undefined ? {} : { member }) }
      expect(groupMembers(resource, NOW, BASE)).to.deep.equal({ patients: [], groups: [] })
    })
  }

  it('leaves out members that are inactive', () => {
    const all = [patient('a', { inactive: true }), patient('b', { inactive: false }), patient('c')]
    expect(membersAt(NOW, ...all).patients).to.deep.equal(['b', 'c'])
  })

  it('leaves out groups that are inactive or not members now', () => {
    const nested = (id: string, rest: object) => ({ entity: { reference: `Group/${id}` }, ...rest })
    const members = membersAt(
      NOW,
      nested('a', { inactive: true }),
      nested('b', { period: { end: '2024-01-30' } }),
      nested('c', {}),
    )
    expect(members.groups).to.deep.equal(['c'])
  })

  // By R4, a date without a time stands for all moments of it, at the beginning of a period and at its end.
  const boundaries: readonly [string, object, string, boolean][] = [
    ['on its first day', { start: '2024-01-31' }, '2024-01-31T00:00:00.000Z', true],
    ['before its first day', { start: '2024-01-31' }, '2024-01-30T23:59:59.999Z', false],
    ['on its last day', { end: '2024-01-31' }, '2024-01-31T23:59:59.999Z', true],
    ['after its last day', { end: '2024-01-31' }, '2024-02-01T00:00:00.000Z', false],
    ['in its first month', { start: '2024-02' }, '2024-02-01T00:00:00.000Z', true],
    ['before its first month', { start: '2024-02' }, '2024-01-31T23:59:59.999Z', false],
    ['in its last month', { end: '2024-02' }, '2024-02-29T23:59:59.999Z', true],
    ['after its last month', { end: '2024-02' }, '2024-03-01T00:00:00.000Z', false],
    ['in its first year', { start: '2024' }, '2024-01-01T00:00:00.000Z', true],
    ['before its first year', { start: '2024' }, '2023-12-31T23:59:59.999Z', false],
    ['in its last year', { end: '2024' }, '2024-12-31T23:59:59.999Z', true],
    ['after its last year', { end: '2024' }, '2025-01-01T00:00:00.000Z', false],
    ['at its first moment', { start: '2024-01-31T12:00:00+01:00' }, '2024-01-31T11:00:00.000Z', true],
    ['before its first moment', { start: '2024-01-31T12:00:00+01:00' }, '2024-01-31T10:59:59.999Z', false],
    ['at its last moment', { end: '2024-01-31T12:00:00Z' }, '2024-01-31T12:00:00.000Z', true],
    ['after its last moment', { end: '2024-01-31T12:00:00Z' }, '2024-01-31T12:00:01.000Z', false],
    ['within it', { start: '2024-01-01', end: '2024-12-31' }, '2024-01-31T12:00:00.000Z', true],
    ['in an empty one', {}, '2024-01-31T12:00:00.000Z', true],
  ]
  for (const [when, period, now, expected] of boundaries) {
    it(`${expected ? 'counts' : 'leaves out'} a member ${when} of ${JSON.stringify(period)}`, () => {
      const { patients } = membersAt(new Date(now), patient('a', { period }))
      expect(patients).to.deep.equal(expected ? ['a'] : [])
    })
  }

  it('counts a member on exactly the days from start to end', () => {
    const day = (number: number) => new Date(Date.UTC(2024, 0, 1 + number)).toISOString().slice(0, 10)
    const days = fc.integer({ min: 0, max: 800 })
    const within = fc.integer({ min: 0, max: 86_399_999 })
    fc.assert(
      fc.property(days, days, days, within, (start, length, today, time) => {
        const now = new Date(Date.UTC(2024, 0, 1 + today) + time)
        const period = { start: day(start), end: day(start + length) }
        const { patients } = membersAt(now, patient('a', { period }))
        const isDay = today >= start && today <= start + length
        expect(patients).to.deep.equal(isDay ? ['a'] : [])
      }),
    )
  })
})

describe('groupObstacle', () => {
  const extension = { url: 'https://example.org/not', valueBoolean: true }
  const obstacles: readonly [string, object, RegExp][] = [
    ['a group that describes its members', { actual: false }, /actual/],
    ['a modifier extension', { actual: true, modifierExtension: [extension] }, /modifier extension/],
    // A member is a backbone element, which may have one of its own: "this one is not a member", for example.
    [
      'a modifier extension of a member',
      { actual: true, member: [patient('a'), patient('b', { modifierExtension: [extension] })] },
      /modifier extension/,
    ],
  ]
  for (const [name, elements, reason] of obstacles) {
    it(`finds ${name}`, () => {
      expect(groupObstacle({ resourceType: 'Group', ...elements })).to.match(reason)
    })
  }

  const fine: readonly object[] = [
    { actual: true },
    {},
    { actual: true, modifierExtension: [] },
    { actual: true, extension: [extension] },
    { actual: true, member: [patient('a', { extension: [extension] })] },
  ]
  for (const elements of fine) {
    it(`finds none in ${JSON.stringify(elements)}`, () => {
      expect(groupObstacle({ resourceType: 'Group', ...elements })).to.equal(undefined)
    })
  }
})
