import type { Narrative } from 'fhir/r4.js'

/** A generated narrative around XHTML. */
export function narrative(xhtml: string): Narrative {
  return { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${xhtml}</div>` }
}

/** Makes text safe inside XHTML. */
export function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
