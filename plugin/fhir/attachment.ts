import type { Resource, ResourceType } from './resource.js'

/**
 * Where R4 resources have an Attachment, as element paths. What is nested without end (QuestionnaireResponse items)
 * is found at any depth below the first step.
 */
const PATHS: Readonly<Record<ResourceType, readonly string[]>> = {
  BodyStructure: ['image'],
  Claim: ['supportingInfo.valueAttachment'],
  ClaimResponse: ['form'],
  Communication: ['payload.contentAttachment'],
  CommunicationRequest: ['payload.contentAttachment'],
  Consent: ['sourceAttachment'],
  Contract: [
    'legallyBindingAttachment',
    'friendly.contentAttachment',
    'legal.contentAttachment',
    'rule.contentAttachment',
  ],
  DiagnosticReport: ['presentedForm'],
  DocumentReference: ['content.attachment'],
  ExplanationOfBenefit: ['form', 'supportingInfo.valueAttachment'],
  HealthcareService: ['photo'],
  Library: ['content'],
  Media: ['content'],
  Patient: ['photo'],
  Person: ['photo'],
  Practitioner: ['photo'],
  QuestionnaireResponse: ['item.**.valueAttachment'],
  RelatedPerson: ['photo'],
  Task: ['input.valueAttachment', 'output.valueAttachment'],
}

const STEPS: ReadonlyMap<ResourceType, readonly (readonly string[])[]> = new Map(
  Object.entries(PATHS).map(([type, paths]) => [type, paths.map((path) => path.split('.'))]),
)

/** Whether resources of this type may have attachments. */
export function hasAttachments(type: ResourceType): boolean {
  return STEPS.has(type)
}

/**
 * A resource whose attachments have absolute URLs: who reads it in a file does not know what a relative one would be
 * relative to (Bulk Data 3.0.0, "Attachments"). The resource itself stays as it is; without relative URLs it is
 * given back.
 *
 * @param base the FHIR base URL of this server
 */
export function withAbsoluteAttachments(resource: Resource, base: string): Resource {
  const paths = STEPS.get(resource.resourceType) ?? []
  return paths.reduce((changed, path) => changedAt(changed, path, base) as Resource, resource)
}

/** The same value when nothing in it had to be changed. */
function changedAt(value: unknown, path: readonly string[], base: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => changedAt(item, path, base))
    return items.some((item, index) => item !== value[index]) ? items : value
  }
  if (typeof value !== 'object' || value === null) return value
  const [step, ...rest] = path
  if (step === undefined) return withAbsoluteUrl(value, base)
  const changes = Object.entries(value).flatMap(([name, part]) => {
    if (step !== '**' && name !== step) return []
    const further = step !== '**' ? rest : name === rest[0] ? rest.slice(1) : path
    const changed = changedAt(part, further, base)
    return changed === part ? [] : [[name, changed] as const]
  })
  return changes.length === 0 ? value : { ...value, ...Object.fromEntries(changes) }
}

function withAbsoluteUrl(attachment: object, base: string): object {
  const { url } = attachment as { url?: unknown }
  if (typeof url !== 'string' || url === '' || /^([a-z][a-z0-9+.-]*:|#)/i.test(url)) return attachment
  return URL.canParse(url, `${base}/`) ? { ...attachment, url: new URL(url, `${base}/`).href } : attachment
}
