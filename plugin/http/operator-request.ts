import type { ExportDetails } from '../jobs/export-view.js'
import { type Content, given, type Html, html } from './html.js'
import { countText, timeMark } from './operator-text.js'

/**
 * What an export was asked for. Values of filters and the ids of patients are not shown: they may say whom it is about,
 * and whoever operates a server need not know.
 */
export function requestFacts(each: ExportDetails): Html {
  const { since, before, filters, elements, patients, types } = each
  return html`${since === undefined ? '' : fact('Updated since', timeMark(since))}
${before === undefined ? '' : fact('Updated before', timeMark(before))}
${patients === undefined ? '' : fact('Narrowed to', countText(patients, 'patient'))}
<div class="wide"><dt>${countText(types.length, 'type')}</dt><dd class="small">${given(types.join(', '))}</dd></div>
${
  filters.length === 0
    ? ''
    : wide(
        'Filters, without their values',
        filters.map(({ type, parameters }) => html`<div>${given(`${type}: ${parameters.join(', ')}`)}</div>`),
      )
}
${
  elements === undefined
    ? ''
    : wide(
        'Elements',
        Object.entries(elements).map(
          ([type, names]) => html`<div>${given(`${type}: ${[names].flat().join(', ')}`)}</div>`,
        ),
      )
}`
}

/** What of the request was left out, and why an export has failed. */
export function noteTexts({ notes, failure }: ExportDetails): Html {
  return html`${issueList('Errors', failure?.issues ?? [])}${issueList('Left out of the request', notes)}`
}

function issueList(title: string, issues: ExportDetails['notes']): Html {
  if (issues.length === 0) return html``
  const texts = issues.map(({ severity, expression, diagnostics }) => {
    const isShown = expression === undefined || !ABOUT_PATIENTS.has(expression)
    const where = expression === undefined ? '' : html` <bdi class="mono">${expression}</bdi>`
    return html`<p class="notice ${severity === 'error' ? 'bad' : ''}"><strong>${severity}</strong>${where}: ${
      isShown ? given(diagnostics) : 'its text is in the error file of the export only.'
    }</p>`
  })
  return html`<h2>${title}</h2>${texts}`
}

/** Parameters whose values may say whom an export is about. */
const ABOUT_PATIENTS: ReadonlySet<string> = new Set(['patient', '_typeFilter'])

function fact(name: string, value: Content): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}

function wide(name: string, value: Content): Html {
  return html`<div class="wide"><dt>${name}</dt><dd class="small">${value}</dd></div>`
}
