import { expect } from 'chai'
import * as fc from 'fast-check'
import { given, html } from '../../../plugin/http/html.js'

/** Text as people write it, and as people do who want to break out. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        ...[
          '<',
          '>',
          '"',
          "'",
          '`',
          '&',
          '/',
          '=',
          ' ',
          '-->',
          '<!--',
          ']]>',
          '</script>',
          '<img src=x onerror=1>',
        ],
        ...['&lt;', '&#60;', '\u0000', '\ud800', '\u202e', 'javascript:', '{', '${', '\n', 'a', 'é', '😀'],
      ),
    )
    .map((parts) => parts.join('')),
)

/** As a browser reads text: the opposite of escaping, told from the standard and not from the code. */
const NAMES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  '#39': "'",
  '#96': '`',
}
const read = (markup: string) =>
  markup.replaceAll(/&([a-z]+|#\d+);/g, (_all, name: string) => String(NAMES[name]))

describe('html', () => {
  it('leaves of any text nothing that a browser could take for markup, and all that is meant to be read', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { markup } = html`${text}`
        expect(markup).not.to.match(/[<>"'`]/)
        expect(markup.replaceAll(/&(amp|lt|gt|quot|#39|#96);/g, '')).not.to.include('&')
        const meant = [...text].map((each) => (isReadable(each) ? each : '\ufffd')).join('')
        expect(read(markup)).to.equal(meant)
      }),
      { numRuns: 1000 },
    )
  })

  it('takes what it has made itself as it is, once, and joins lists', () => {
    const items = ['<a>', '&'].map((text) => html`<li title="${text}">${text}</li>`)
    expect(html`<ul>${items}</ul>`.markup).to.equal(
      '<ul><li title="&lt;a&gt;">&lt;a&gt;</li><li title="&amp;">&amp;</li></ul>',
    )
  })

  it('has nothing for nothing, and numbers as they are', () => {
    expect(html`<i>${undefined}${[]}${0}${1.5}</i>`.markup).to.equal('<i>01.5</i>')
  })

  it('does not take an object that looks like markup for markup', () => {
    const forged = JSON.parse('{ "markup": "<script>" }') as string
    expect(() => html`${forged}`.markup).to.throw(TypeError)
  })

  it('keeps the direction of given text from what is around it', () => {
    expect(given('\u202eabc').markup).to.equal('<bdi>\u202eabc</bdi>')
  })
})

function isReadable(character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  if (code === 9 || code === 10) return true
  return code >= 32 && !(code >= 127 && code < 160) && !(code >= 0xd800 && code < 0xe000)
}
