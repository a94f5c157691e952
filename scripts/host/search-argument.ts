/** One search parameter of a request, with one `name[:modifier]=value[,value]`. */
export interface SearchArgument {
  readonly name: string
  readonly modifier?: string
  /** The alternatives. What is escaped with `\` in them still is. */
  readonly values: readonly string[]
}

/**
 * The search parameters among the arguments of a service, which the core has made of the request: those that
 * hold text. The core escapes text as if it were to be shown on a page (`&` becomes `&amp;`); this is undone.
 * Parameters without a value are left out, as FHIR says.
 */
export function searchArguments(args: Readonly<Record<string, unknown>>): SearchArgument[] {
  return Object.entries(args).flatMap(([key, given]) =>
    (Array.isArray(given) ? given : [given]).flatMap((text) => {
      if (key === 'base_version' || typeof text !== 'string') return []
      const values = splitEscaped(unescapeHtml(text), ',').filter((value) => value !== '')
      if (values.length === 0) return []
      const [name = '', ...rest] = key.split(':')
      return [{ name, ...(rest.length === 0 ? {} : { modifier: rest.join(':') }), values }]
    }),
  )
}

/** Splits at each separator that has no `\` before it. */
export function splitEscaped(text: string, separator: string): string[] {
  const parts: string[] = []
  let part = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && at + 1 < text.length) {
      part += text.slice(at, at + 2)
      at++
    } else if (text[at] === separator) {
      parts.push(part)
      part = ''
    } else {
      part += text[at]
    }
  }
  return [...parts, part]
}

/** Takes the `\` off the characters that FHIR escapes: `\,`, `\|`, `\$` and `\\`. */
export function unescaped(text: string): string {
  return text.replace(/\\([,|$\\])/g, '$1')
}

function unescapeHtml(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
}
