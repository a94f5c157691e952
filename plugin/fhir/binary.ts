import type { Resource } from './resource.js'

/**
 * Whether a Binary is content of one patient, on whatever server. Such content is exported with the resource that
 * points to it, never as a Binary (Bulk Data 3.0.0, "Attachments"). In DSTU2 a Binary does not say whose it is.
 */
export function isPatientContent({ securityContext }: Resource): boolean {
  const { type, reference } = (securityContext ?? {}) as { type?: unknown; reference?: unknown }
  return type === 'Patient' || (typeof reference === 'string' && PATIENT.test(reference))
}

const PATIENT = /(^|\/)Patient\/[^/]+(\/_history\/[^/]+)?$/
