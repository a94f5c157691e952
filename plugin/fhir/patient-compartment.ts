import { localReference } from './reference.js'
import type { Resource, ResourceType } from './resource.js'

/** One way a resource type gets into a patient's compartment: a search parameter and the element it reads. */
export interface CompartmentPath {
  readonly parameter: string
  readonly path: readonly string[]
}

/**
 * The R4 CompartmentDefinition `patient`: for each type its inclusion parameters, as `parameter element.path`
 * where the two differ. Where two parameters read the same element, one stands here; where one parameter reads
 * two elements (AuditEvent `patient`), each element has the parameter that reads it alone, so that what a search
 * finds and what a check looks at stay the same thing.
 */
const DEFINITION: Readonly<Record<ResourceType, readonly string[]>> = {
  Account: ['subject'],
  AdverseEvent: ['subject'],
  AllergyIntolerance: ['patient', 'recorder', 'asserter'],
  Appointment: ['actor participant.actor'],
  AppointmentResponse: ['actor'],
  AuditEvent: ['patient agent.who', 'entity entity.what'],
  Basic: ['patient subject', 'author'],
  BodyStructure: ['patient'],
  CarePlan: ['patient subject', 'performer activity.detail.performer'],
  CareTeam: ['patient subject', 'participant participant.member'],
  ChargeItem: ['subject'],
  Claim: ['patient', 'payee payee.party'],
  ClaimResponse: ['patient'],
  ClinicalImpression: ['subject'],
  Communication: ['subject', 'sender', 'recipient'],
  CommunicationRequest: ['subject', 'sender', 'recipient', 'requester'],
  Composition: ['subject', 'author', 'attester attester.party'],
  Condition: ['patient subject', 'asserter'],
  Consent: ['patient'],
  Coverage: ['policy-holder policyHolder', 'subscriber', 'beneficiary', 'payor'],
  CoverageEligibilityRequest: ['patient'],
  CoverageEligibilityResponse: ['patient'],
  DetectedIssue: ['patient'],
  DeviceRequest: ['subject', 'performer'],
  DeviceUseStatement: ['subject'],
  DiagnosticReport: ['subject'],
  DocumentManifest: ['subject', 'author', 'recipient'],
  DocumentReference: ['subject', 'author'],
  Encounter: ['patient subject'],
  EnrollmentRequest: ['subject candidate'],
  EpisodeOfCare: ['patient'],
  ExplanationOfBenefit: ['patient', 'payee payee.party'],
  FamilyMemberHistory: ['patient'],
  Flag: ['patient subject'],
  Goal: ['patient subject'],
  Group: ['member member.entity'],
  ImagingStudy: ['patient subject'],
  Immunization: ['patient'],
  ImmunizationEvaluation: ['patient'],
  ImmunizationRecommendation: ['patient'],
  Invoice: ['patient subject', 'recipient'],
  List: ['subject', 'source'],
  MeasureReport: ['patient subject'],
  Media: ['subject'],
  MedicationAdministration: ['patient subject', 'performer performer.actor'],
  MedicationDispense: ['patient subject', 'receiver'],
  MedicationRequest: ['subject'],
  MedicationStatement: ['subject'],
  MolecularSequence: ['patient'],
  NutritionOrder: ['patient'],
  Observation: ['subject', 'performer'],
  Patient: [],
  Person: ['patient link.target'],
  Procedure: ['patient subject', 'performer performer.actor'],
  Provenance: ['patient target'],
  QuestionnaireResponse: ['subject', 'author'],
  RelatedPerson: ['patient'],
  RequestGroup: ['subject', 'participant action.participant'],
  ResearchSubject: ['individual'],
  RiskAssessment: ['subject'],
  Schedule: ['actor'],
  ServiceRequest: ['subject', 'performer'],
  Specimen: ['subject'],
  SupplyDelivery: ['patient'],
  SupplyRequest: ['subject deliverTo'],
  VisionPrescription: ['patient'],
}

const PATHS: ReadonlyMap<ResourceType, readonly CompartmentPath[]> = new Map(
  Object.entries(DEFINITION).map(([type, entries]) => [type, entries.map(toPath)]),
)

/** The types that can be in a patient's compartment, `Patient` among them, in alphabetical order. */
export const COMPARTMENT_TYPES: readonly ResourceType[] = [...PATHS.keys()]

/** Whether resources of this type can be in a patient's compartment. */
export function isCompartmentType(type: ResourceType): boolean {
  return PATHS.has(type)
}

/**
 * The ways into the compartment for a type, in a fixed order; empty for `Patient`, which is in it by its own
 * id, and for types outside. `Patient.link` is left out on purpose: following it would hand out the record of
 * a person who is not a member.
 */
export function compartmentPaths(type: ResourceType): readonly CompartmentPath[] {
  return PATHS.get(type) ?? []
}

/** One reason why a resource is in a compartment: which patient, and by which of the type's paths. */
export interface Membership {
  readonly patient: string
  /** Index in `compartmentPaths(type)`; 0 for a Patient itself. */
  readonly path: number
  /**
   * Whether the reference is written as `Patient/[id]`, which every search by reference finds. Not all find an
   * absolute or a versioned one.
   */
  readonly isPlain: boolean
}

/**
 * Every reason why this resource is in a patient's compartment.
 *
 * @param base the FHIR base URL of this server, to tell its own absolute references from foreign ones
 */
export function memberships(resource: Resource, base: string): Membership[] {
  if (resource.resourceType === 'Patient') {
    return resource.id === undefined ? [] : [{ patient: resource.id, path: 0, isPlain: true }]
  }
  return compartmentPaths(resource.resourceType).flatMap(({ path }, index) =>
    referencesAt(resource, path).flatMap((reference) => {
      const found = localReference(reference, base)
      if (found?.type !== 'Patient') return []
      return [{ patient: found.id, path: index, isPlain: reference === `Patient/${found.id}` }]
    }),
  )
}

function referencesAt(value: unknown, path: readonly string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((item) => referencesAt(item, path))
  if (typeof value !== 'object' || value === null) return []
  const [element, ...rest] = path
  if (element === undefined) return 'reference' in value ? [value.reference] : []
  return element in value ? referencesAt((value as Record<string, unknown>)[element], rest) : []
}

function toPath(entry: string): CompartmentPath {
  const [parameter = '', path = parameter] = entry.split(' ')
  return { parameter, path: path.split('.') }
}
