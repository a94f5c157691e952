import { MOST_SHOWN } from '../jobs/export-overview.js'
import type { ExportDetails, FileView, PartialProgress, TaskView } from '../jobs/export-view.js'
import { type Content, given, type Html, html } from './html.js'
import { cancelWord, isCancellable } from './operator-cancel.js'
import { countTasks, totalsOf } from './operator-figures.js'
import { failureText, paceText, partName, progressMark } from './operator-progress.js'
import { noteTexts, requestFacts } from './operator-request.js'
import {
  bytesText,
  countText,
  levelText,
  numberText,
  ownerText,
  shortId,
  stateMark,
  timeMark,
} from './operator-text.js'
import { statusUrl } from './urls.js'

/** All about one export. */
export function detailsOf(each: ExportDetails, home: string): Html {
  const { _id, status, progress, tasks, files, now } = each
  const word = cancelWord(status)
  const totals = totalsOf(progress)
  return html`<p class="small"><a href="${home}">All exports</a></p>
<div class="title"><h1>Export <span class="mono">${shortId(_id)}</span></h1><p role="status">${stateMark(status)}</p>${
    isCancellable(status)
      ? html`<a class="button danger" id="cancel" href="${home}/${_id}/cancel">${word} export</a>`
      : ''
  }</div>
${failureText(each)}
<div class="card"><dl class="facts">
${fact('Progress', progressMark(each, 0))}
${fact('Pace', paceText(each, now))}
${fact('Files', `${countText(totals.files, 'file')}, ${bytesText(totals.bytes)}`)}
${fact('Problems', totals.problems === 0 ? 'none' : html`<span class="bad">${countText(totals.problems, 'line')} in error files</span>`)}
${fact('Level', given(levelText(each)))}
${fact('Client', given(ownerText(each.owner)))}
${times(each)}
${requestFacts(each)}
<div class="wide"><dt>Status URL, for its client</dt><dd class="small mono">${statusLink(each)}</dd></div>
</dl></div>
${types(each)}
${taskTable(tasks, totals.tasks)}
${fileTable(files, totals.files)}
${noteTexts(each)}`
}

function fact(name: string, value: Content): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`
}

function times({ transactionTime, startedAt, endedAt }: ExportDetails): Html {
  return html`${fact('Kicked off', timeMark(transactionTime))}
${startedAt === undefined ? '' : fact('Began', timeMark(startedAt))}
${endedAt === undefined ? '' : fact('Ended', timeMark(endedAt))}`
}

/** A base that came by a request is a link only where it has the form of one. */
function statusLink({ base, _id }: ExportDetails): Html {
  const url = statusUrl(base, _id)
  return /^https?:\/\//.test(url) ? html`<a href="${url}" rel="noreferrer">${url}</a>` : given(url)
}

interface Column<T> {
  readonly name: string
  readonly isNumber?: boolean
  readonly cell: (each: T) => Content
}

/** The first column names the row. */
function table<T>(
  caption: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
  idOf: (each: T) => string,
): Html {
  const heads = columns.map(
    ({ name, isNumber }) =>
      html`<th role="columnheader" scope="col"${isNumber ? html` class="right"` : ''}>${name}</th>`,
  )
  const cells = (each: T) =>
    columns.map(({ name, isNumber, cell }, index) =>
      index === 0
        ? html`<th role="rowheader" scope="row" class="break">${cell(each)}</th>`
        : html`<td role="cell" data-label="${name}" class="${isNumber ? 'right num' : 'break'}">${cell(each)}</td>`,
    )
  return html`<div class="card"><table class="dense" role="table"><caption>${caption}</caption>
<thead role="rowgroup"><tr role="row">${heads}</tr></thead>
<tbody role="rowgroup">${rows.map((each) => html`<tr role="row" id="${idOf(each)}">${cells(each)}</tr>`)}</tbody></table></div>`
}

function types({ progress, readings, status }: ExportDetails): Html {
  if (progress.length === 0) return html`<h2>Types</h2><p class="soft">Its work is not planned yet.</p>`
  const reading = ({ type }: PartialProgress) => readings?.find(({ types }) => types.includes(type ?? ''))
  const columns: Column<PartialProgress>[] = [
    { name: 'Type', cell: (part) => given(partName(part)) },
    { name: 'State', cell: (part) => partState(part, status) },
    { name: 'Parts done', isNumber: true, cell: (part) => `${part.tasks.done} of ${countTasks(part)}` },
    { name: 'Resources', isNumber: true, cell: ({ resources }) => numberText(resources) },
    { name: 'Size', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
    { name: 'Files', isNumber: true, cell: ({ files }) => numberText(files) },
    { name: 'Problems', isNumber: true, cell: ({ problems }) => numberText(problems) },
  ]
  if (readings !== undefined) {
    columns.push({
      name: 'Read by',
      cell: (part) => {
        const known = reading(part)
        return known && html`<span>${known.way}<span class="small">: ${given(known.reason)}</span></span>`
      },
    })
  }
  return html`<h2>Types</h2>${table('Progress by type', columns, progress, ({ kind, type }) => `part-${kind}-${type ?? ''}`)}`
}

function partState({ tasks, failing }: PartialProgress, status: ExportDetails['status']): Html {
  if (failing > 0 && status === 'running') return html`<span class="state failed">Tried again</span>`
  if (tasks.running > 0) return html`<span class="state live">Running</span>`
  if (tasks.waiting > 0) return html`<span class="state waiting">Waiting</span>`
  if (tasks.cancelled > 0) return html`<span class="state">Cancelled</span>`
  return html`<span class="state done">Done</span>`
}

const TASK_STATES = { waiting: 'Waiting', running: 'Running', done: 'Done', cancelled: 'Cancelled' } as const

function taskTable(tasks: readonly TaskView[], all: number): Html {
  if (tasks.length === 0) return html``
  const columns: Column<TaskView>[] = [
    { name: 'Task', cell: ({ _id }) => html`<span class="mono">#${_id.split('-').at(-1) ?? ''}</span>` },
    { name: 'Exports', cell: (task) => given(partName(task)) },
    {
      name: 'State',
      cell: taskState,
    },
    { name: 'Resources', isNumber: true, cell: ({ resources }) => numberText(resources) },
    { name: 'Attempt', isNumber: true, cell: ({ attempt }) => attempt },
    { name: 'Failures', cell: failuresText },
    {
      name: 'Worker',
      cell: ({ worker }) => (worker === undefined ? '' : html`<bdi class="mono small">${worker}</bdi>`),
    },
  ]
  return html`<h2>Tasks</h2>${table(shownText(tasks.length, all, 'task'), columns, tasks, ({ _id }) => `task-${_id}`)}`
}

function taskState({ status, isAbandoned }: TaskView): Html {
  if (isAbandoned) return html`<span class="state failed">Worker lost</span>`
  return html`<span class="state ${status === 'running' ? 'live' : status}">${TASK_STATES[status]}</span>`
}

function failuresText({ failures, lastFailure, notBefore, status }: TaskView): Content {
  if (failures === 0) return lastFailure === undefined ? 'none' : `none lately (${lastFailure})`
  const reason = lastFailure === undefined ? '' : ` (${lastFailure})`
  const again = status === 'waiting' && notBefore !== undefined
  return html`<span class="bad">${failures} in a row${reason}${again ? html`, again at ${timeMark(notBefore)}` : ''}</span>`
}

function fileTable(files: readonly FileView[], all: number): Html {
  if (files.length === 0) return html``
  const columns: Column<FileView>[] = [
    { name: 'File', cell: ({ name }) => html`<bdi class="mono">${name}</bdi>` },
    { name: 'Kind', cell: ({ kind }) => kind },
    { name: 'Resources', isNumber: true, cell: ({ resources }) => numberText(resources) },
    { name: 'Size', isNumber: true, cell: ({ bytes }) => bytesText(bytes) },
    {
      name: 'Compressed',
      isNumber: true,
      cell: ({ gzipBytes }) => (gzipBytes === undefined ? 'no' : bytesText(gzipBytes)),
    },
  ]
  return html`<h2>Files</h2>${table(shownText(files.length, all, 'file'), columns, files, ({ name }) => `file-${name}`)}`
}

function shownText(shown: number, all: number, one: string): string {
  if (shown < MOST_SHOWN || all <= shown) return countText(shown, one)
  return `${numberText(shown)} of ${countText(all, one)}`
}
