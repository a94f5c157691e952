import type { ExportView, PartialProgress } from '../jobs/export-view.js'
import { given, type Html, html } from './html.js'
import { countTasks, doneFraction, secondsLeft, speedOf, totalsOf } from './operator-figures.js'
import { countText, durationText, numberText, shortId } from './operator-text.js'

/** How far an export is, with the types that are under way. */
export function progressMark({ _id, status, progress }: ExportView, mostTypes = 4): Html {
  const { resources } = totalsOf(progress)
  if (status === 'accepted') return html`<span class="soft">Its work is not planned yet.</span>`
  if (status !== 'running') return html`<span class="num">${countText(resources, 'resource')}</span>`
  const percent = percentOf(progress)
  const unfinished = progress
    .filter((part) => part.tasks.done < countTasks(part))
    .sort((a, b) => b.tasks.running - a.tasks.running || b.resources - a.resources)
  const more = unfinished.length - mostTypes
  return html`<div class="num">${percent}% <span class="soft">· ${countText(resources, 'resource')}</span></div>
<progress max="100" value="${percent}" aria-label="Progress of export ${shortId(_id)}">${percent}%</progress>
<ul class="types">${unfinished.slice(0, mostTypes).map(typeLine)}${more > 0 && mostTypes > 0 ? html`<li>and ${countText(more, 'more type')}</li>` : ''}</ul>${workersText(progress)}`
}

function workersText(progress: readonly PartialProgress[]): Html {
  const workers = [...new Set(progress.flatMap((part) => part.workers))].sort()
  return workers.length === 0
    ? html``
    : html`<div class="small">on <bdi class="mono">${workers.join(', ')}</bdi></div>`
}

/** Whole percents; 100 is for what is complete. */
export function percentOf(progress: readonly PartialProgress[]): number {
  return Math.min(99, Math.floor(100 * doneFraction(progress)))
}

/** What a part of an export is called: its type, or that it is what was deleted, or the notes. */
export function partName({ kind, type }: Pick<PartialProgress, 'kind' | 'type'>): string {
  return type ?? (kind === 'deleted' ? 'Deleted resources' : 'Notes')
}

function typeLine(part: PartialProgress): Html {
  const all = countTasks(part)
  const done = all === 1 ? '' : `${numberText(part.tasks.done)} of ${numberText(all)} parts · `
  return html`<li><bdi>${partName(part)}</bdi><span class="num nowrap">${done}${numberText(part.resources)}</span></li>`
}

/** How fast an export goes and when it is likely to be over, or how long it took. */
export function paceText(each: ExportView, now: Date): Html {
  const { status, startedAt, endedAt, transactionTime, progress } = each
  if (status === 'running') {
    const speed = speedOf(each, now)
    const left = secondsLeft(progress, speed)
    return html`<div><span class="nowrap">${speed === undefined ? html`<span class="soft">speed unknown</span>` : `${numberText(speed)} / s`}</span>
<div class="small">${left === undefined ? 'time left unknown' : html`<span class="nowrap">about ${durationText(roughly(left))} left</span>`}</div></div>`
  }
  if (status === 'accepted' || endedAt === undefined) return html`<span class="soft">not begun</span>`
  const seconds = (endedAt.getTime() - (startedAt ?? transactionTime).getTime()) / 1000
  return html`<span>${status === 'completed' ? 'in' : 'after'} <span class="nowrap">${durationText(seconds)}</span></span>`
}

/** An estimate in seconds would look exact. */
function roughly(seconds: number): number {
  if (seconds > 90) return Math.ceil(seconds / 60) * 60
  return Math.max(5, Math.ceil(seconds / 5) * 5)
}

/** Why an export has failed, or what is tried again. */
export function failureText({ status, failure, planFailures, progress }: ExportView): Html {
  if (status === 'failed') {
    const [issue] = failure?.issues ?? []
    return html`<div class="small bad">${given(issue?.diagnostics ?? 'It failed; the log says why.')}</div>`
  }
  const { failing } = totalsOf(progress)
  if (status === 'accepted' && (planFailures ?? 0) > 0) {
    return html`<div class="small bad">Planning failed ${countText(planFailures ?? 0, 'time')}, and is tried again.</div>`
  }
  if (status !== 'running' || failing === 0) return html``
  const reasons = [...new Set(progress.flatMap(({ failureReasons }) => failureReasons))].sort().join(', ')
  return html`<div class="small bad">${countText(failing, 'task')} tried again${reasons === '' ? '' : ` (${reasons})`}</div>`
}
