import { expect } from 'chai'
import { withAbsoluteAttachments } from '../../../plugin/fhir/attachment.js'
import type { Resource } from '../../../plugin/fhir/resource.js'

const BASE = 'https://fhir.example.org/4_0_0'

describe('withAbsoluteAttachments', () => {
  const strange = [
    ...[undefined, null, 'Binary/b1', []],
    ...[[null, undefined, 5, 'Binary/b1', {}, { attachment: null }, { attachment: 'Binary/b1' }]],
    [{ attachment: { url: null } }, { attachment: { url: 5 } }, { attachment: { url: ['Binary/b1'] } }],
  ]
  for (const content of strange) {
    it(`gives back what has no attachments that it knows: ${JSON.stringify(content)}`, () => {
      const document: Resource = { resourceType: 'DocumentReference', content }
      expect(withAbsoluteAttachments(document, BASE)).to.equal(document)
    })
  }

  it('makes one URL absolute among contents that are none, and leaves the resource as it is', () => {
    const content = [null, { attachment: { url: 'Binary/b1', title: 'x' } }, {}, { attachment: null }]
    const document: Resource = { resourceType: 'DocumentReference', content, status: 'current' }
    const before = structuredClone(document)
    const attachment = { url: `${BASE}/Binary/b1`, title: 'x' }
    expect(withAbsoluteAttachments(document, BASE)).to.deep.equal({
      ...document,
      content: [null, { attachment }, {}, { attachment: null }],
    })
    expect(document).to.deep.equal(before)
  })

  it('does nothing the second time', () => {
    const document = { resourceType: 'DocumentReference', content: [{ attachment: { url: 'Binary/b1' } }] }
    const once = withAbsoluteAttachments(document, BASE)
    expect(withAbsoluteAttachments(once, 'https://other.example.org/4_0_0')).to.equal(once)
  })

  it('finds those of a questionnaire at any depth', () => {
    const answer = (url: string) => ({ valueAttachment: { url } })
    const itemsWith = (first: string, second: string) => [
      { answer: [answer(first), { item: [{ answer: [answer(second)] }] }] },
      { item: [{ item: [{ answer: [answer(first)] }] }] },
    ]
    const response: Resource = {
      resourceType: 'QuestionnaireResponse',
      item: itemsWith('Binary/a', 'Binary/b'),
    }
    expect(withAbsoluteAttachments(response, BASE)).to.deep.equal({
      ...response,
      item: itemsWith(`${BASE}/Binary/a`, `${BASE}/Binary/b`),
    })
  })
})
