import { expect } from 'chai'
import { BSON } from 'mongodb'
import { withElements } from '../../../plugin/fhir/elements.js'
import type { Resource } from '../../../plugin/fhir/resource.js'
import { NdjsonBuffer } from '../../../plugin/search/scan-buffer.js'
import { Transcoder } from '../../../plugin/search/scan-transcoder.js'
import { population } from '../../../scripts/population/index.js'
import { lineByObjects, RandomDocuments, type Stored, stored } from './scan-documents.js'

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' }
const OTHER = { system: 'http://example.org', code: 'SUBSETTED' }

function written(document: Stored, type: string, asked: readonly string[]) {
  const into = new NdjsonBuffer(0, 0)
  const problem = new Transcoder({ elements: { type, asked, version: '4_0_0' } }).transcode(
    stored(document),
    into,
  )
  return problem ?? Buffer.from(into.take()).toString()
}

describe('Transcoder with elements', () => {
  const expected = (document: Stored, asked: readonly string[]) =>
    lineByObjects(stored(document), (resource) =>
      withElements(resource as unknown as Resource, asked, '4_0_0'),
    )

  const patient = {
    resourceType: 'Patient',
    id: 'x',
    name: [{ family: 'y' }],
    _name: [null],
    birthDate: '2000',
  }
  const metas: Readonly<Record<string, Stored>> = {
    'no meta': {},
    'null meta': { meta: null },
    'empty meta': { meta: {} },
    'meta without tags': { meta: { lastUpdated: '2024-01-01T00:00:00Z' } },
    'empty tags': { meta: { tag: [], versionId: '1' } },
    'tags that are none': { meta: { tag: 'x', versionId: '1' } },
    'null for tags': { meta: { tag: null } },
    'tags in the middle': { meta: { versionId: '1', tag: [{ code: 'é"' }, OTHER], source: 's' } },
    'the tag itself': { meta: { tag: [{ ...SUBSETTED, display: 'd' }, OTHER] } },
    'the tag twice, with others': {
      meta: { tag: [OTHER, SUBSETTED, null, { code: 'SUBSETTED' }, SUBSETTED, {}] },
    },
    'a tag much like it': {
      meta: {
        tag: [
          { ...SUBSETTED, code: 'SUBSETTED ' },
          { ...SUBSETTED, system: 1 },
        ],
      },
    },
    'dates and numbers in meta': {
      meta: { lastUpdated: new Date(0), extension: [{ valueDecimal: 1.5 }, []] },
    },
    'much to escape in a tag': { meta: { tag: [{ display: '\u0001'.repeat(5000) }] } },
  }
  for (const [name, meta] of Object.entries(metas)) {
    it(`writes ${name} as withElements does`, () => {
      for (const document of [
        { _id: 1, ...patient, ...meta },
        { ...meta, ...patient, __v: 0 },
        { _id: 1, ...meta, resourceType: 'Patient' },
        { _id: 1, ...meta },
      ]) {
        expect(written(document, 'Patient', ['name'])).to.equal(expected(document, ['name']))
      }
    })
  }

  it('writes a whole population as withElements does, for whatever is asked for', () => {
    const asked = ['code', 'value', 'valueQuantity', 'name', 'extension', 'subject', 'period', 'contained']
    const transcoders = new Map<string, Transcoder>()
    const into = new NdjsonBuffer()
    for (const resource of population({ patients: 10 })) {
      const type = resource.resourceType
      const transcoder =
        transcoders.get(type) ?? new Transcoder({ elements: { type, asked, version: '4_0_0' } })
      transcoders.set(type, transcoder)
      expect(transcoder.transcode(stored({ _id: 1, ...resource }), into)).to.equal(undefined)
      const line = Buffer.from(into.take()).toString()
      expect(line).to.equal(
        `${JSON.stringify(withElements(resource as unknown as Resource, asked, '4_0_0'))}\n`,
      )
    }
  })

  it('writes documents of every kind as withElements does', () => {
    const random = new RandomDocuments(31)
    const asked = ['a', 'element', 'e', 'value']
    const transcoder = new Transcoder({ elements: { type: 'Patient', asked, version: '4_0_0' } })
    const into = new NdjsonBuffer(0, 0)
    for (let count = 0; count < 3000; count++) {
      const { meta: _, ...fields } = random.next()
      const tag = Array.from(
        { length: random.below(4) },
        () => [random.next(), SUBSETTED, null][random.below(3)],
      )
      const meta = random.below(3) === 0 ? {} : { meta: { ...random.next(), tag } }
      const document = { resourceType: 'Patient', ...fields, ...meta }
      expect(transcoder.transcode(stored(document), into)).to.equal(undefined)
      expect(Buffer.from(into.take()).toString()).to.equal(expected(document, asked))
    }
  })

  it('has a problem with a meta that is no object, and with what cannot be a tag', () => {
    const table: ReadonlyArray<readonly [unknown, string]> = [
      ['x', 'meta'],
      [[], 'meta'],
      [{ tag: ['x'] }, 'meta.tag[0]'],
      [{ tag: [{}, { code: new BSON.Binary() }] }, 'meta.tag[1].code'],
      [{ profile: [/x/] }, 'meta.profile[0]'],
    ]
    for (const [meta, path] of table) {
      const problem = written({ ...patient, meta }, 'Patient', [])
      expect(problem).to.include({ kind: 'type', path })
      expect(problem)
        .to.have.property('message')
        .that.matches(/^meta\S* is (stored as BSON|not what)/)
    }
  })

  it('does not look into elements that are left out', () => {
    const document = { ...patient, photo: new BSON.Binary(), meta: { tag: [] } }
    expect(written(document, 'Patient', ['name']))
      .to.be.a('string')
      .that.does.not.contain('photo')
  })
})
