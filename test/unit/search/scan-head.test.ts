import { expect } from 'chai'
import { BSON } from 'mongodb'
import { parseInstant } from '../../../plugin/fhir/instant.js'
import { ResourceHead } from '../../../plugin/search/scan-head.js'
import { readInstant } from '../../../plugin/search/scan-instant.js'
import { RandomDocuments, type Stored, stored } from './scan-documents.js'

function headOf(document: Stored) {
  const head = new ResourceHead()
  expect(head.read(stored(document))).to.equal(true)
  const { resourceType, id, lastUpdated } = head
  return { resourceType, id, lastUpdated }
}

describe('ResourceHead', () => {
  const time = Date.UTC(2024, 1, 29, 12, 30, 15, 123)
  const whole = { resourceType: 'Patient', id: 'p1', lastUpdated: time }

  it('finds type, id and time wherever they stand', () => {
    const parts: readonly Stored[] = [
      { _id: new BSON.ObjectId(), contained: [{ resourceType: 'X', id: 'no', meta: { lastUpdated: 'no' } }] },
      { resourceType: 'Patient' },
      { meta: { versionId: '1', lastUpdated: new Date(time), tag: [] } },
      { id: 'p1' },
    ]
    for (let turn = 0; turn < parts.length; turn++) {
      const turned = [...parts.slice(turn), ...parts.slice(0, turn)]
      expect(headOf(Object.assign({}, ...turned))).to.deep.equal(whole)
    }
  })

  it('reads times as Date and as instant with any offset', () => {
    for (const lastUpdated of [
      new Date(time),
      '2024-02-29T12:30:15.123Z',
      '2024-02-29T14:30:15.1239+02:00',
    ]) {
      expect(headOf({ ...whole, meta: { lastUpdated } })).to.deep.equal(whole)
    }
  })

  it('has nothing where a document has nothing that can be read', () => {
    const nothing = { resourceType: undefined, id: undefined, lastUpdated: Number.NaN }
    expect(headOf({})).to.deep.equal(nothing)
    expect(headOf({ resourceType: 1, id: null, meta: [] })).to.deep.equal(nothing)
    for (const lastUpdated of ['', '2024', 5, null, new Date(Number.NaN), {}]) {
      expect(headOf({ meta: { lastUpdated } }).lastUpdated, String(lastUpdated)).to.deep.equal(
        lastUpdated instanceof Date ? 0 : Number.NaN,
      )
    }
  })

  it('forgets the document before', () => {
    const head = new ResourceHead()
    head.read(stored({ ...whole, meta: { lastUpdated: new Date(1) } }))
    expect(head.read(Buffer.alloc(3))).to.equal(false)
    expect([head.resourceType, head.id, head.lastUpdated]).to.deep.equal([undefined, undefined, Number.NaN])
    expect(head.isOfType('')).to.equal(false)
  })

  it('tells a type from others', () => {
    const head = new ResourceHead()
    head.read(stored({ resourceType: 'Patient' }))
    const types = ['Patient', 'Patien', 'Patients', 'patient', 'Patienu', '']
    expect(types.map((type) => head.isOfType(type))).to.deep.equal([true, false, false, false, false, false])
  })
})

describe('readInstant', () => {
  const read = (text: string) => {
    const bytes = Buffer.from(`9${text}9`)
    return readInstant(bytes, 1, bytes.length - 1)
  }
  const byText = (text: string) => parseInstant(text)?.getTime() ?? Number.NaN

  it('reads what parseInstant reads, in every usual and unusual form', () => {
    const days = [
      '2024-02-29',
      '2023-02-29',
      '1900-02-29',
      '2000-02-29',
      '0001-01-01',
      '0000-01-01',
      '9999-12-31',
      '1969-12-31',
      '2024-04-31',
      '2024-13-01',
      '2024-00-10',
      '2024-01-00',
      '2024-1-01',
      '2024/01/01',
      '+02024-01-1',
    ]
    const times = [
      'T00:00:00',
      'T23:59:59',
      'T24:00:00',
      'T12:60:00',
      'T12:00:60',
      't12:00:00',
      ' 12:00:00',
      'T12:00',
      'T1:00:00',
      '',
    ]
    const rests = [
      'Z',
      '.1Z',
      '.12Z',
      '.123Z',
      '.9999999Z',
      '.Z',
      'z',
      '',
      '+00:00',
      '-00:00',
      '+14:00',
      '+14:01',
      '-13:59',
      '+15:00',
      '+05:60',
      '+0530',
      ' 05:30',
      '.5+05:30',
      '.5-05:30',
      'ZZ',
      'Z ',
      '+05:3',
      '+05:300',
      '.123',
    ]
    for (const day of days) {
      for (const time of times) {
        for (const rest of rests) {
          for (const text of [day + time + rest, ` ${day}${time}${rest}`]) {
            expect(read(text), text).to.deep.equal(byText(text))
          }
        }
      }
    }
  })

  it('reads every day from the first to the last year, and random times', () => {
    for (let day = -719_162; day < 2_932_896; day += 13) {
      const text = new Date(day * 86_400_000).toISOString()
      if (read(text) !== day * 86_400_000) expect(read(text), text).to.equal(day * 86_400_000)
    }
    const random = new RandomDocuments(41)
    for (let count = 0; count < 20_000; count++) {
      const characters = '0123456789-:.TZ+ '
      const text = [...'2024-02-29T12:30:15.123+02:00']
      for (let change = random.below(4); change > 0; change--) {
        text[random.below(text.length)] = characters[random.below(characters.length)] as string
      }
      expect(read(text.join('')), text.join('')).to.deep.equal(byText(text.join('')))
    }
  })
})
