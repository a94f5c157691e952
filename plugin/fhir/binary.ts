import { localReference } from './reference.js'
import type { Resource } from './resource.js'

/**
 * Whether a Binary is content of one patient. Such content is exported with the DocumentReference that points to
 * it, never as a Binary (Bulk Data 3.0.0, "Attachments").
 *
 * @param base the FHIR base URL of this server
 */
export function isPatientContent(binary: Resource, base: string): boolean {
  const { reference } = (binary['securityContext'] ?? {}) as { reference?: unknown }
  return localReference(reference, base)?.type === 'Patient'
}

/**
 * A DocumentReference whose attachments have absolute URLs: who reads it in a file does not know what a relative
 * one would be relative to (Bulk Data 3.0.0, "Attachments"). The resource itself stays as it is.
 */
export function withAbsoluteAttachments(document: Resource, base: string): Resource {
  const { content } = document
  if (!Array.isArray(content) || !content.some((each) => isRelative(urlOf(each)))) return document
  return { ...document, content: content.map((each) => withAbsoluteUrl(each, base)) }
}

interface Content {
  readonly attachment?: { readonly url?: unknown }
}

function withAbsoluteUrl(content: Content, base: string): Content {
  const url = urlOf(content)
  return isRelative(url)
    ? { ...content, attachment: { ...content.attachment, url: `${base}/${url}` } }
    : content
}

function urlOf(content: unknown): unknown {
  return (content as Content | null | undefined)?.attachment?.url
}

/** `Binary/123`, not `/path`, `urn:…`, `#id` or anything with a scheme. */
function isRelative(url: unknown): url is string {
  return typeof url === 'string' && /^[A-Z][A-Za-z]+\//.test(url)
}
