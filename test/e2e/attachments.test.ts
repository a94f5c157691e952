import { expect } from 'chai'
import { startHost, store, type TestHost, type TestResource } from '../support/export-host.js'
import { useSuiteDatabase } from '../support/mongodb.js'
import { exportOf, nameOf, type Pair } from '../support/provenance.js'

const meta = { lastUpdated: '2024-01-01T00:00:00Z' }
const of = (id: string) => ({ reference: `Patient/${id}` })
const CONTENT = Buffer.from('a letter').toString('base64')

const PATIENT: TestResource = { resourceType: 'Patient', id: 'p1', meta }
const GROUP: TestResource = {
  ...{ resourceType: 'Group', id: 'g', meta, type: 'person', actual: true },
  member: [{ entity: of('p1') }],
}
const PATHS = ['$export', 'Patient/$export', 'Group/g/$export'] as const
const TYPES = [
  'Patient',
  'Group',
  'Binary',
  'DocumentReference',
  'DiagnosticReport',
  'Media',
  'Communication',
]

function binary(id: string, securityContext?: object): TestResource {
  return {
    ...{ resourceType: 'Binary', id, meta, contentType: 'text/plain', data: CONTENT },
    ...(securityContext === undefined ? {} : { securityContext }),
  }
}

function documentOf(id: string, content: readonly object[]): TestResource {
  return {
    ...{ resourceType: 'DocumentReference', id, meta, status: 'current', subject: of('p1'), content },
    // Nothing of this is an attachment, whatever it looks like.
    text: { status: 'generated', div: '<div xmlns="http://www.w3.org/1999/xhtml">Binary/b1</div>' },
    relatesTo: [{ code: 'appends', target: { reference: 'DocumentReference/plain' } }],
    extension: [{ url: 'http://example.org/of', valueString: 'Binary/b1' }],
  }
}

describe('attachments and Binary', () => {
  const database = useSuiteDatabase()
  const other = useSuiteDatabase()
  const PUBLIC = 'https://fhir.example.org/r4'
  let host: TestHost
  /** Knows its public URL, which is not where the test reaches it. */
  let named: TestHost
  before('start hosts', async () => {
    const options = { minPollInterval: 0, pageSize: 2, maxFileResources: 2 }
    host = await startHost(database, { types: TYPES, options })
    named = await startHost(other, { types: TYPES, options: { ...options, baseUrl: PUBLIC } })
  })
  after('close the hosts', async () => {
    await host?.close()
    await named?.close()
  })
  /** Every test says what there is. */
  async function put(resources: readonly TestResource[]) {
    for (const each of [database, other]) {
      for (const type of TYPES) await each.db.collection(`${type}_4_0_0`).deleteMany({})
      await store(each, resources)
    }
  }

  /** What is exported, by name. */
  async function exported(path: string, pairs: readonly Pair[] = []) {
    const { manifest } = await exportOf(host, path, { pairs })
    const all = [...(await host.resources(manifest)).values()].flat()
    return new Map(all.map((resource) => [nameOf(resource), resource]))
  }

  /** The same of the host that has a public URL. */
  async function exportedInPublic(path: string) {
    const inside = (url: string) => `${new URL(named.base).origin}${url.slice(PUBLIC.length)}`
    const accepted = await fetch(`${named.base}/${path}`)
    expect(accepted.status, await accepted.text()).to.equal(202)
    const manifest = await named.manifest(inside(String(accepted.headers.get('content-location'))))
    const output = manifest.output.map((file) => ({ ...file, url: inside(file.url) }))
    const all = [...(await named.resources({ ...manifest, output })).values()].flat()
    return new Map(all.map((resource) => [nameOf(resource), resource]))
  }

  describe('Binary', () => {
    const written = () => [
      binary('any'),
      binary('of-an-organization', { reference: 'Organization/o' }),
      binary('of-p1', of('p1')),
      binary('of-p1-by-version', { reference: 'Patient/p1/_history/2' }),
      binary('of-p1-in-full', { reference: `${host.base}/Patient/p1` }),
      binary('of-nobody-here', of('gone')),
    ]

    it('that is not about a patient is exported at system level, and no other [FL-40]', async () => {
      await put([PATIENT, GROUP, ...written()])
      const asked: readonly (readonly Pair[])[] = [
        [],
        [['_type', 'Binary,Patient']],
        [['_typeFilter', 'Binary?_id=any,of-p1']],
      ]
      for (const pairs of asked) {
        const found = await exported('$export', pairs)
        const hasFilter = JSON.stringify(pairs).includes('_typeFilter')
        expect([...found.keys()].filter((name) => name.startsWith('Binary')).sort()).to.deep.equal([
          'Binary/any',
          ...(hasFilter ? [] : ['Binary/of-an-organization']),
        ])
        expect(found.get('Binary/any')).to.deep.equal(binary('any'))
      }
    })

    for (const context of [
      { type: 'Patient', identifier: { system: 'http://example.org/mrn', value: '1' } },
      { reference: 'https://other.example.org/4_0_0/Patient/p1' },
      { type: 'Patient', reference: 'urn:uuid:3b241101-e2bb-4255-8caf-4136c566a962' },
    ]) {
      it(`about a patient known as ${JSON.stringify(context)} is not exported either [FL-40]`, async () => {
        await put([PATIENT, binary('any'), binary('theirs', context)])
        expect([...(await exported('$export')).keys()].sort()).to.deep.equal(['Binary/any', 'Patient/p1'])
      })
    }

    for (const path of PATHS.slice(1)) {
      it(`is never exported by ${path} [FL-40]`, async () => {
        await put([PATIENT, GROUP, ...written()])
        for (const pairs of [[], [['_type', 'Patient,Binary']], [['_type', 'Patient']]] as const) {
          const found = await exported(path, pairs)
          expect([...found.keys()].filter((name) => name !== 'Group/g')).to.deep.equal(['Patient/p1'])
        }
        const alone = await fetch(`${host.base}/${path}?_type=Binary`)
        expect([alone.status, await alone.text()].join()).to.match(/^400,.*"OperationOutcome"/)
      })
    }
  })

  interface Content {
    readonly attachment: { readonly url?: string }
  }
  function urlsOf(document: TestResource | undefined): readonly (string | undefined)[] {
    return ((document?.['content'] ?? []) as readonly Content[]).map(({ attachment }) => attachment.url)
  }

  describe('a DocumentReference', () => {
    const absolute = [
      ...['https://example.org/files/1', 'http://example.org/4_0_0/Binary/b1', 'urn:uuid:1234'],
      ...['data:text/plain;base64,QQ==', 'ftp://example.org/1.pdf', 'cid:part1@example.org'],
    ]
    const relative = ['Binary/b1', 'Binary/b1/_history/2', 'DocumentReference/x/$binary?a=b#c']
    const texts = { contentType: 'text/plain', title: 'Binary/b1', data: CONTENT }
    const DOCUMENTS: readonly TestResource[] = [
      documentOf('many', [
        ...relative.map((url) => ({ attachment: { ...texts, url }, format: { code: 'Binary/b1' } })),
        ...absolute.map((url) => ({ attachment: { ...texts, url } })),
        { attachment: { ...texts } },
        { attachment: { _url: { extension: [{ url: 'http://example.org/why', valueCode: 'masked' }] } } },
        { attachment: { url: 'Binary/b1', _url: { id: 'u1' } } },
      ]),
      documentOf('plain', [{ attachment: { contentType: 'text/plain', data: CONTENT } }]),
      documentOf(
        'absolute',
        absolute.map((url) => ({ attachment: { url } })),
      ),
    ]

    /** A document as it should be written. */
    function written(document: TestResource, base: string): TestResource {
      const content = (document['content'] as readonly Content[]).map((each) => {
        const { url } = each.attachment
        if (url === undefined || !relative.includes(url)) return each
        return { ...each, attachment: { ...each.attachment, url: `${base}/${url}` } }
      })
      return { ...document, content }
    }

    for (const path of PATHS) {
      it(`is exported by ${path} with absolute URLs, and else as it was stored [FL-40 FL-41 FL-42]`, async () => {
        await put([PATIENT, GROUP, binary('b1', of('p1')), ...DOCUMENTS])
        const found = await exported(path)
        const inPublic = await exportedInPublic(path)
        for (const document of DOCUMENTS) {
          expect(found.get(nameOf(document))).to.deep.equal(written(document, host.base))
          expect(inPublic.get(nameOf(document))).to.deep.equal(written(document, `${PUBLIC}/4_0_0`))
        }
        expect([...found.keys()]).not.to.include('Binary/b1')
        const stored = await database.db.collection('DocumentReference_4_0_0').find().toArray()
        expect(stored.map(({ _id, ...document }) => document)).to.have.deep.members([...DOCUMENTS])
      })
    }

    for (const elements of ['content', 'DocumentReference.content', 'DocumentReference.subject']) {
      it(`has absolute URLs with _elements=${elements} too [FL-42]`, async () => {
        await put([PATIENT, ...DOCUMENTS])
        const found = await exported('$export', [['_elements', elements]])
        for (const document of DOCUMENTS) {
          const { content, status } = written(document, host.base)
          expect(found.get(nameOf(document))).to.deep.include({ content, status })
          expect(found.get(nameOf(document))).not.to.have.property('relatesTo')
        }
      })
    }

    it('has URLs under which the host gives the content [FL-42]', async () => {
      const letter = binary('b1', of('p1'))
      await put([PATIENT, letter, ...DOCUMENTS])
      const document = (await exported('Patient/$export')).get('DocumentReference/many')
      const answer = await fetch(String(urlsOf(document)[0]), {
        headers: { Accept: 'application/fhir+json' },
      })
      expect(answer.status).to.equal(200)
      expect(await answer.json()).to.include({ resourceType: 'Binary', id: 'b1', data: CONTENT })
    })

    // Attachment.url: "Relative URLs are interpreted relative to the service url, like a resource reference".
    for (const [url, becomes] of [
      ['files/letter.pdf', (base: string) => `${base}/files/letter.pdf`],
      ['letter.pdf?version=2', (base: string) => `${base}/letter.pdf?version=2`],
      ['./Binary/b1', (base: string) => `${base}/Binary/b1`],
      ['/files/letter.pdf', (base: string) => `${new URL(base).origin}/files/letter.pdf`],
    ] as const) {
      it(`has an absolute URL for ${url} too [FL-42]`, async () => {
        await put([PATIENT, documentOf('d', [{ attachment: { url } }])])
        const document = (await exported('$export')).get('DocumentReference/d')
        expect(urlsOf(document)).to.deep.equal([becomes(host.base)])
      })
    }
  })

  const attachment = (base = '') => ({ contentType: 'image/png', url: `${base}Binary/b1` })
  const holders: readonly (readonly [type: string, elements: (base?: string) => object])[] = [
    ['Patient', (base) => ({ photo: [attachment(base), { data: CONTENT }] })],
    ['DiagnosticReport', (base) => ({ subject: of('p1'), presentedForm: [attachment(base)] })],
    ['Media', (base) => ({ subject: of('p1'), content: attachment(base) })],
    ['Communication', (base) => ({ subject: of('p1'), payload: [{ contentAttachment: attachment(base) }] })],
  ]
  for (const [type, elements] of holders) {
    it(`a ${type} is exported with absolute URLs in its attachments [FL-42]`, async () => {
      const holder = { resourceType: type, id: 'p1', meta }
      await put([...(type === 'Patient' ? [] : [PATIENT]), { ...holder, ...elements() }])
      const found = (await exported('Patient/$export')).get(`${type}/p1`)
      expect(found).to.deep.equal({ ...holder, ...elements(`${host.base}/`) })
    })
  }
})
