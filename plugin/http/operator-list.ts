import type { ExportList, ExportView } from '../jobs/export-view.js'
import type { JobStatus, WorkerProcess } from '../jobs/model.js'
import { type Content, given, type Html, html } from './html.js'
import { cancelWord, isCancellable } from './operator-cancel.js'
import { totalsOf } from './operator-figures.js'
import { failureText, paceText, progressMark } from './operator-progress.js'
import {
  bytesText,
  countText,
  durationText,
  levelText,
  numberText,
  ownerText,
  STATES,
  shortId,
  stateMark,
  timeMark,
} from './operator-text.js'

export interface ListPage {
  /** Absolute path of the list. */
  readonly home: string
  readonly found: ExportList
  readonly workers: readonly WorkerProcess[]
  /** Absent: all states. */
  readonly status?: JobStatus | undefined
  /** Query of the next page; absent: this is the last one. */
  readonly next?: string | undefined
  /** Whether it begins with the newest. */
  readonly isFirst: boolean
  /** The id of an export that has just been cancelled and is gone. */
  readonly cancelled?: string | undefined
}

/** All exports, the newest first. */
export function listOf(page: ListPage): Html {
  const { home, found, workers, status, next, isFirst, cancelled } = page
  return html`<h1>Exports</h1>
${workersLine(workers, found.now)}
${cancelled === undefined ? '' : html`<p class="notice" role="status">Export <span class="mono">${shortId(cancelled)}</span> was cancelled. Its files are removed.</p>`}
${stateLinks(page)}
${
  found.exports.length === 0
    ? html`<p class="card empty">${emptyText(status, isFirst)}</p>`
    : html`<div class="card"><table class="list" role="table">
<caption>${captionText(page)}, the newest first</caption>
<thead role="rowgroup"><tr role="row">${['Export', 'What', 'Progress', 'Pace', 'Files'].map(headerCell)}<th role="columnheader" scope="col" class="right">Action</th></tr></thead>
<tbody role="rowgroup">${found.exports.map((each) => row(each, found.now, home))}</tbody>
</table></div>`
}
<nav aria-label="Pages"><ul>${isFirst ? '' : html`<li><a class="button" href="${listUrl(home, status)}">Newest</a></li>`}${
    next === undefined ? '' : html`<li><a class="button" href="${home}?${next}" rel="next">Older</a></li>`
  }</ul></nav>`
}

function headerCell(text: string): Html {
  return html`<th role="columnheader" scope="col">${text}</th>`
}

function listUrl(home: string, status: JobStatus | undefined): string {
  return status === undefined ? home : `${home}?state=${status}`
}

function workersLine(workers: readonly WorkerProcess[], now: Date): Html {
  if (workers.length === 0) {
    return html`<p class="notice warn">No worker was heard of for a minute. Exports wait until one is started.</p>`
  }
  const named = workers.map(({ name, aliveAt }, index) => {
    const seconds = Math.max(0, (now.getTime() - aliveAt.getTime()) / 1000)
    return html`${index === 0 ? '' : ', '}<bdi class="mono">${name ?? 'of an older version'}</bdi> (heard of ${durationText(seconds)} ago)`
  })
  return html`<p class="small">${countText(workers.length, 'worker process', 'worker processes')}: ${named}</p>`
}

function stateLinks({ home, found, status }: ListPage): Html {
  const all = [...found.counts.values()].reduce((sum, count) => sum + count, 0)
  const link = (state: JobStatus | undefined, label: string, count: number) =>
    html`<li><a href="${listUrl(home, state)}"${state === status ? html` aria-current="page"` : ''}>${label} <span class="num">${numberText(count)}</span></a></li>`
  const states = [...STATES].filter(
    ([state]) => found.counts.has(state) || state === status || USUAL.has(state),
  )
  return html`<nav class="states" aria-label="Exports by state"><ul>${link(undefined, 'All', all)}${states.map(
    ([state, label]) => link(state, label, found.counts.get(state) ?? 0),
  )}</ul></nav>`
}

const USUAL: ReadonlySet<JobStatus> = new Set(['accepted', 'running', 'completed', 'failed'])

function captionText({ found, status }: ListPage): string {
  const state = status === undefined ? '' : `${STATES.get(status)?.toLowerCase()} `
  return countText(found.exports.length, `${state}export`)
}

function emptyText(status: JobStatus | undefined, isFirst: boolean): string {
  if (!isFirst) return 'There are no older ones.'
  return status === undefined ? 'There are no exports.' : 'There are no exports in this state.'
}

function row(each: ExportView, now: Date, home: string): Html {
  const { _id, status, owner, transactionTime, types } = each
  const url = `${home}/${_id}`
  const word = cancelWord(status)
  return html`<tr role="row" id="e-${_id}">
<th role="rowheader" scope="row">${stateMark(status)} <a class="mono" href="${url}">${shortId(_id)}</a>
<div class="small">${timeMark(transactionTime)}</div></th>
<td role="cell" class="plain"><div>${given(levelText(each))}</div>
<div class="small">${typesText(types)}</div><div class="small">for ${given(ownerText(owner))}</div></td>
<td role="cell" class="progress plain">${progressMark(each)}${failureText(each)}</td>
<td role="cell" data-label="Pace" class="num">${paceText(each, now)}</td>
<td role="cell" data-label="Files" class="num">${filesText(each)}</td>
<td role="cell" class="right plain">${
    isCancellable(status)
      ? html`<a class="button danger" id="cancel-${_id}" href="${url}/cancel" aria-label="${word} export ${shortId(_id)}">${word}</a>`
      : ''
  }</td>
</tr>`
}

const NAMED_TYPES = 3

function typesText(types: readonly string[]): Content {
  const more = types.length - NAMED_TYPES
  return [
    given(types.slice(0, NAMED_TYPES).join(', ')),
    more > 0 ? ` and ${countText(more, 'more type')}` : '',
  ]
}

function filesText({ progress }: ExportView): Html {
  const { files, bytes, problems } = totalsOf(progress)
  if (files === 0) return html`<span class="soft">none</span>`
  return html`<div>${countText(files, 'file')}
<div class="small">${bytesText(bytes)}</div>${problems > 0 ? html`<div class="small bad">${countText(problems, 'problem')}</div>` : ''}</div>`
}
