import { expect } from 'chai'
import * as fc from 'fast-check'
import { type Html, html } from '../../../plugin/http/html.js'
import { confirmationOf } from '../../../plugin/http/operator-cancel.js'
import { detailsOf } from '../../../plugin/http/operator-details.js'
import { documentResponse } from '../../../plugin/http/operator-document.js'
import { listOf } from '../../../plugin/http/operator-list.js'
import { SCRIPT } from '../../../plugin/http/operator-script.js'
import { STYLE } from '../../../plugin/http/operator-style.js'
import type { JobStatus } from '../../../plugin/jobs/model.js'
import { exportWith, NOW } from './operator-views.js'

const HOME = '/exports'
const STATES: readonly JobStatus[] = ['accepted', 'running', 'completed', 'failed', 'cancelled', 'expired']

const listWith = (text: string, status: JobStatus) =>
  listOf({
    ...{ home: HOME, isFirst: true },
    workers: [{ _id: text, name: text, aliveAt: NOW }],
    found: {
      ...{ now: NOW, hasMore: false, counts: new Map([[status, 1]]) },
      exports: [exportWith(text, { status })],
    },
  })

const pages: Readonly<Record<string, (text: string, status: JobStatus) => Html>> = {
  list: listWith,
  details: (text, status) => detailsOf(exportWith(text, { status }), HOME),
  confirmation: (text, status) => confirmationOf(exportWith(text, { status }), HOME),
}

/** The tags of a page with the names of their attributes, read by a tokenizer that knows double quotes only. */
function skeletonOf(markup: string): readonly string[] {
  return [...markup.matchAll(/<(\/?[!\w]+)((?:\s+[\w:-]+(?:="[^"<>]*")?)*)\s*>|[<>]/g)].map(
    ([all, tag, attributes]) => {
      if (tag === undefined) throw new Error(`A stray ${all}`)
      return `${tag} ${[...(attributes ?? '').matchAll(/([\w:-]+)(?:="[^"]*")?/g)].map(([, name]) => name).join(' ')}`
    },
  )
}

const hostile = fc
  .array(
    fc.constantFrom(
      ...[
        '<script>',
        '</td>',
        '"',
        "'",
        '>',
        '<',
        '&',
        '=',
        ' onclick=',
        '" x="',
        '<!--',
        '-->',
        'javascript:',
        'http',
      ],
      ...['\u0000', '\ud800', '`', '\n', 'b'],
    ),
  )
  .map((parts) => `a${parts.join('')}`)

describe("the markup of the operator's pages", () => {
  for (const [name, page] of Object.entries(pages)) {
    for (const status of STATES) {
      it(`has the same elements and attributes whatever clients write: ${name}, ${status}`, () => {
        const expected = skeletonOf(page('a', status).markup)
        expect(expected.length).to.be.above(5)
        fc.assert(
          fc.property(hostile, (text) => {
            expect(skeletonOf(page(text, status).markup)).to.deep.equal(expected)
          }),
          { numRuns: 100 },
        )
      })
    }
  }

  it('links to a status URL only where it is one', () => {
    const linked = (base: string) =>
      /href="([^"]*\$export[^"]*)"/.exec(detailsOf(exportWith('a', { base }), HOME).markup)?.[1]
    expect(linked('https://fhir.example.org/4_0_0')).to.match(
      /^https:\/\/fhir\.example\.org\/4_0_0\/\$export\//,
    )
    for (const base of ['javascript:alert(1)//', 'data:text/html,x', '//evil.example.org', ' https://x']) {
      expect(linked(base), base).to.equal(undefined)
    }
  })

  it('keeps texts about patients and filters to the client', () => {
    const secret = 'Patient/4711 is not there'
    const notes = ['patient', '_typeFilter'].map((expression) => {
      return { severity: 'warning', code: 'value', diagnostics: secret, expression } as const
    })
    const text = 'x'
    expect(detailsOf(exportWith(text, { notes }), HOME).markup).not.to.include('4711')
    const shown = notes.map((note) => ({ ...note, expression: '_elements', diagnostics: 'Left out: foo' }))
    expect(detailsOf(exportWith(text, { notes: shown }), HOME).markup).to.include('Left out: foo')
  })

  it('has no end of an element in its style and its script, which are not escaped', () => {
    expect(STYLE + SCRIPT).not.to.match(/<[/!]/)
  })

  it('escapes its titles and operators', () => {
    const { body } = documentResponse(200, {
      title: '</title><b>',
      home: HOME,
      main: html``,
      operator: '<b>',
    })
    expect(body).to.include('<title>&lt;/title&gt;&lt;b&gt;</title>')
    expect(body).not.to.include('<b>')
  })
})
