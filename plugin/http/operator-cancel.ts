import type { ExportView } from '../jobs/export-view.js'
import type { JobStatus } from '../jobs/model.js'
import { given, type Html, html } from './html.js'
import { totalsOf } from './operator-figures.js'
import { countText, levelText, ownerText, shortId, stateMark, timeMark } from './operator-text.js'

/** Whether an export can be cancelled: what is being removed already cannot. */
export function isCancellable(status: JobStatus): boolean {
  return status !== 'cancelled' && status !== 'expired'
}

/** What an export has ended with is removed; before that it is cancelled. */
export function cancelWord(status: JobStatus): 'Cancel' | 'Remove' {
  return status === 'accepted' || status === 'running' ? 'Cancel' : 'Remove'
}

/** Asks once more, and says what is going to be lost. */
export function confirmationOf(each: ExportView, home: string): Html {
  const { _id, status, owner, transactionTime, progress } = each
  const { files, resources } = totalsOf(progress)
  const word = cancelWord(status)
  const loss =
    files === 0
      ? 'It has no files yet.'
      : `Its ${countText(files, 'file')} with ${countText(resources, 'resource')} will be removed.`
  return html`<div class="narrow"><h1>${word} export <span class="mono">${shortId(_id)}</span>?</h1>
<p>${stateMark(status)} ${given(levelText(each))}, for ${given(ownerText(owner))}, kicked off ${timeMark(transactionTime)}.</p>
<p class="notice bad">${word === 'Cancel' ? 'Work on it stops. ' : ''}${loss} Its client will be told that there is no such export. This cannot be undone.</p>
<form method="post" action="${home}/${_id}/cancel" class="actions">
<button type="submit" class="sure" id="confirm">${word} export</button>
<a class="button" href="${home}/${_id}">Keep it</a>
</form></div>`
}
