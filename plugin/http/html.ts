/** Markup that goes into a page as it is. Made by `html`, but for the style and the script of a document. */
export class Html {
  constructor(readonly markup: string) {}
}

/** What may stand in a template: text is escaped, nothing is left out, lists are joined. */
export type Content = Html | string | number | undefined | readonly Content[]

/**
 * A template whose values are text and never markup, whatever is in them, unless they come from `html` themselves. A
 * value may stand between tags and in a quoted attribute, and nowhere else.
 */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings.map((text, index) => text + markupOf(values[index])).join(''))
}

/** Text that came from outside: set apart, so that its direction of writing changes nothing around it. */
export function given(text: string): Html {
  return html`<bdi>${text}</bdi>`
}

function markupOf(content: Content): string {
  if (content === undefined) return ''
  if (content instanceof Html) return content.markup
  return typeof content === 'object' ? content.map(markupOf).join('') : escaped(String(content))
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;', '`': '&#96;' },
}

/** Control characters and halves of characters are in no text that is meant to be read. */
function escaped(text: string): string {
  return text
    .replaceAll(/\p{Cs}|[^\P{Cc}\t\n]/gu, '\ufffd')
    .replaceAll(/[&<>"'`]/g, (character) => ENTITIES[character] ?? '')
}
