import type { Annotation } from 'fhir/r4.js'
import { dateTime } from './calendar.js'
import type { Subject } from './subject.js'

/**
 * Texts that a writer, a reader or a splitter of NDJSON may stumble over. FHIR allows tab, line feed and carriage return
 * in a `string` and no other control character.
 */
export const REMARKS: readonly string[] = [
  'Patient states: "I feel fine", but the chart says otherwise.',
  'Records are under C:\\charts\\2023\\new; regular expression \\d+\\.\\d+, and a lone backslash: \\',
  'Line one\nLine two\r\nLine three\n\n  - indented item',
  'Column A\tColumn B\tColumn C\n1\t2\t3',
  'Feeling much better today 😀👍🏽 family visited 👨‍👩‍👧‍👦 🏳️‍🌈',
  'Markup is not markup here: <b>5 < 7 && 9 > 8</b> &amp; "quoted" \'single\' {"resourceType":"Patient"}',
  'Ο ασθενής αισθάνεται καλύτερα. Συνεχίζει την αγωγή.',
  'Пацієнтка скаржиться на біль у грудях; об’єктивно — без змін.',
  'المريض يشعر بتحسن، ويستمر على العلاج نفسه (٥ ملغ).',
  'המטופל מרגיש טוב יותר; "המשך טיפול" במינון 5 מ״ג.',
  'रोगी को बुखार नहीं है। दवा जारी रखें।',
  '患者感觉好多了，继续服药。',
  '患者は快方に向かっている。次回は二週間後。㍿①㌔',
  '환자는 상태가 호전되었습니다. 약을 계속 복용하세요.',
  'Decomposed and composed look alike: e\u0301 é, A\u030a Å; ligature ﬁ; astral 𝒳 𠮷; dotless ı, sharp ß',
  'Percent %20 %0A, plus +, dollar $1 $& $$, braces {{x}}; null, undefined, NaN, __proto__, constructor',
  '# Plan\n\n1. *Rest*\n2. Drink `water`\n\n> "If worse, call" \\_o_/\n\n| day | dose |\n|---|---|\n| 1 | 5 mg |',
]

/**
 * Texts with white space beyond ASCII. JavaScript counts it as white space and XML Schema does not, so that some validators
 * refuse it in a `string`: only for the XHTML of narratives. U+2028 and U+2029 end a line for some line readers (Node's
 * `readline` is one) and not in JSON.
 */
const STORIES: readonly string[] = [
  'Before the line separator\u2028after it, and after the paragraph separator\u2029the end.',
  'No-break\u00a0space, narrow\u202fone, ideographic\u3000space, byte order mark \ufeff inside.',
  'Left\u200e-to-\u200fright and joined\u200d, "quoted" & <not a tag>',
]

export function remark(subject: Subject): string {
  return subject.dice.pick(REMARKS)
}

/** A note of the practice about the patient, of a moment. */
export function note(subject: Subject, moment: number): Annotation {
  return {
    authorReference: subject.practice.someone(subject.dice),
    time: dateTime(moment, subject.practice.zone),
    text: remark(subject),
  }
}

/** Text for a narrative, not yet escaped. */
export function story(subject: Subject): string {
  return subject.dice.pick(STORIES)
}
