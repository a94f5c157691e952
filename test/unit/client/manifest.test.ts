import { expect } from 'chai'
import { wholeManifest } from '../../../scripts/client/manifest.js'

const PAGE = {
  ...{
    transactionTime: '2026-01-01T00:00:00.000Z',
    request: 'https://x/$export',
    requiresAccessToken: false,
  },
  output: [] as readonly object[],
}
const file = (name: string) => ({ type: 'Patient', url: `https://x/${name}` })
const linked = (page: string) => [{ relation: 'next', url: `https://x/${page}` }]

describe('wholeManifest', () => {
  it('puts pages together, in their order', async () => {
    const pages: Readonly<Record<string, object>> = {
      'https://x/2': { ...PAGE, output: [file('b')], deleted: [file('d')], link: linked('3') },
      'https://x/3': { ...PAGE, output: [file('c')], error: [file('e')], requiresAccessToken: true },
    }
    const first = { ...PAGE, output: [file('a')], link: linked('2') }
    const whole = await wholeManifest(first, async (url) => pages[url])
    expect(whole.output.map(({ url }) => url)).to.deep.equal(['https://x/a', 'https://x/b', 'https://x/c'])
    expect(whole.deleted).to.deep.equal([file('d')])
    expect(whole.error).to.deep.equal([file('e')])
    expect(whole.requiresAccessToken).to.equal(true)
  })

  const wrong: readonly { readonly what: string; readonly first: unknown; readonly says: RegExp }[] = [
    { what: 'pages without an end', first: { ...PAGE, link: linked('same') }, says: /lead back/ },
    { what: 'pages of another export', first: { ...PAGE, link: linked('late') }, says: /different times/ },
    { what: 'no manifest', first: { resourceType: 'Bundle' }, says: /cannot be used: transactionTime/ },
    { what: 'nothing', first: undefined, says: /cannot be used/ },
    {
      what: 'a local file',
      first: { ...PAGE, output: [{ url: 'file:///etc/passwd' }] },
      says: /output\.0\.url/,
    },
    { what: 'a negative count', first: { ...PAGE, output: [{ ...file('a'), count: -1 }] }, says: /count/ },
  ]
  for (const { what, first, says } of wrong) {
    it(`refuses ${what}`, async () => {
      const load = async (url: string) => {
        return url.endsWith('late')
          ? { ...PAGE, transactionTime: '2027-01-01T00:00:00Z' }
          : { ...PAGE, link: linked('same') }
      }
      const error = await wholeManifest(first, load).catch((reason: unknown) => reason)
      expect(error).to.have.property('ending', 'failed')
      expect(error).to.have.property('message').that.matches(says)
    })
  }
})
