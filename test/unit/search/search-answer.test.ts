import { createRequire } from 'node:module'
import { expect } from 'chai'
import { readAnswer } from '../../../plugin/search/search-answer.js'

type SchemaClass = new (json: object) => object

const { resolveSchema } = createRequire(import.meta.url)('@asymmetrik/node-fhir-server-core') as {
  resolveSchema(version: string, name: string): SchemaClass
}
const Bundle = resolveSchema('4_0_0', 'bundle')
const Patient = resolveSchema('4_0_0', 'patient')

const META = { lastUpdated: '2024-01-01T00:00:00Z' }
const A = { resourceType: 'Patient', id: 'a', meta: META, name: [{ family: 'A', given: ['B', 'C'] }] }
const B = { resourceType: 'Patient', id: 'b', active: false }
const NEXT = 'https://fhir.example.org/4_0_0/Patient?_cursor=x'
const LINKS = [
  { relation: 'self', url: 'https://fhir.example.org/4_0_0/Patient' },
  { relation: 'next', url: NEXT },
]

/** What has `toJSON` and nothing else to read, like a mapper's document. */
const document = (json: unknown) => ({ resourceType: 'Patient', id: 'wrong', toJSON: () => json })
/** As it will be written: schema classes name every element, most of them without a value. */
const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown
const resources = (answer: unknown) => readAnswer(answer)?.resources

describe('readAnswer', () => {
  const forms: readonly [string, unknown, boolean][] = [
    ['a Bundle', { resourceType: 'Bundle', entry: [{ resource: A }, { resource: B }] }, true],
    [
      'a Bundle of class instances',
      { resourceType: 'Bundle', entry: [{ resource: new Patient(A) }, { resource: new Patient(B) }] },
      true,
    ],
    ['a Bundle instance', new Bundle({ entry: [{ resource: A }, { resource: B }] }), true],
    [
      'a Bundle instance of class instances',
      new Bundle({ entry: [{ resource: new Patient(A) }, { resource: new Patient(B) }] }),
      true,
    ],
    ['an array', [A, B], false],
    ['an array of class instances', [new Patient(A), new Patient(B)], false],
    ['an array of documents of a mapper', [document(A), document(B)], false],
  ]
  for (const [name, answer, isBundle] of forms) {
    it(`reads ${name}`, () => {
      expect(json(readAnswer(answer))).to.deep.equal({ resources: [A, B], entries: 2, hasLinks: false })
    })

    if (!isBundle) continue
    it(`reads links and total beside ${name}`, () => {
      const bundle = answer as { link?: unknown; total?: unknown }
      const kept = { link: bundle.link, total: bundle.total }
      Object.assign(bundle, { link: LINKS, total: 7 })
      expect(json(readAnswer(bundle))).to.deep.equal({
        resources: [A, B],
        entries: 2,
        nextUrl: NEXT,
        total: 7,
        hasLinks: true,
      })
      Object.assign(bundle, kept)
    })
  }

  for (const nothing of [
    undefined,
    null,
    [],
    { resourceType: 'Bundle' },
    new Bundle({}),
    new Bundle({ entry: [] }),
  ]) {
    it(`finds nothing in ${JSON.stringify(nothing)}`, () => {
      expect(readAnswer(nothing)).to.deep.equal({ resources: [], entries: 0, hasLinks: false })
    })
  }

  const nonsense: readonly unknown[] = [
    '',
    'Patient',
    0,
    7,
    true,
    false,
    {},
    A,
    new Patient(A),
    { resourceType: 'OperationOutcome', issue: [] },
    { resourceType: 'bundle', entry: [] },
    { entry: [{ resource: A }] },
    new Map([['a', A]]),
    () => [A],
  ]
  for (const answer of nonsense) {
    it(`does not take ${JSON.stringify(answer) ?? String(answer)} for an answer`, () => {
      expect(readAnswer(answer)).to.equal(undefined)
    })
  }

  it('leaves out what is no resource', () => {
    const stray = [null, undefined, 7, 'x', {}, { resourceType: 7 }, []]
    expect(json(resources([...stray, A, ...stray]))).to.deep.equal([A])
    const entry = [null, 7, {}, ...stray.map((resource) => ({ resource })), { resource: A }]
    expect(json(resources({ resourceType: 'Bundle', entry }))).to.deep.equal([A])
  })

  it('keeps a resource whose toJSON gives nothing, or throws, as it is', () => {
    const throwing = {
      ...A,
      toJSON: () => {
        throw new Error('no')
      },
    }
    for (const broken of [document(null), document(undefined), document('x'), throwing]) {
      expect(resources([broken, A])).to.have.ordered.members([broken, A])
    }
  })

  it('leaves out what did not match', () => {
    const outcome = { resourceType: 'OperationOutcome', issue: [] }
    const entry = [
      { resource: A, search: { mode: 'match' } },
      { resource: B, search: { mode: 'include' } },
      { resource: outcome, search: { mode: 'outcome' } },
      { resource: B, search: { score: 1 } },
    ]
    expect(json(resources({ resourceType: 'Bundle', entry }))).to.deep.equal([A, B])
    expect(json(resources(new Bundle({ entry })))).to.deep.equal([A, B])
  })

  const links: readonly [string, unknown, { nextUrl?: string; hasLinks: boolean }][] = [
    ['no list', 'x', { hasLinks: false }],
    ['an empty list', [], { hasLinks: false }],
    ['self only', [LINKS[0]], { hasLinks: true }],
    ['next only', [LINKS[1]], { nextUrl: NEXT, hasLinks: true }],
    ['nonsense', [null, 7], { hasLinks: false }],
    ['a next without a URL', [{ relation: 'next' }], { hasLinks: true }],
    ['a previous page', [{ relation: 'previous', url: 'x' }], { hasLinks: true }],
  ]
  for (const [name, link, expected] of links) {
    it(`reads links: ${name}`, () => {
      const found = readAnswer({ resourceType: 'Bundle', link })
      expect(found).to.deep.equal({ resources: [], entries: 0, ...expected })
    })
  }
})
