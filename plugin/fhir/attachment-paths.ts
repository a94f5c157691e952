import type { FhirRelease } from './fhir-version.js'
import type { ResourceType } from './resource.js'

type Paths = Readonly<Record<ResourceType, readonly string[]>>

/**
 * Where the resources of a release have an Attachment, as element paths. What is nested without end (QuestionnaireResponse
 * items) is found at any depth below the first step.
 */
export const ATTACHMENT_PATHS: Readonly<Record<FhirRelease, Paths>> = {
  R4: {
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
  },
  STU3: {
    BodySite: ['image'],
    Claim: ['information.valueAttachment'],
    Communication: ['payload.contentAttachment'],
    CommunicationRequest: ['payload.contentAttachment'],
    Consent: ['sourceAttachment'],
    Contract: [
      'bindingAttachment',
      'friendly.contentAttachment',
      'legal.contentAttachment',
      'rule.contentAttachment',
    ],
    DiagnosticReport: ['presentedForm'],
    DocumentManifest: ['content.pAttachment'],
    DocumentReference: ['content.attachment'],
    ExplanationOfBenefit: ['information.valueAttachment'],
    HealthcareService: ['photo'],
    Library: ['content'],
    Media: ['content'],
    Medication: ['image'],
    Observation: ['valueAttachment', 'component.valueAttachment'],
    Patient: ['photo'],
    Person: ['photo'],
    Practitioner: ['photo'],
    Questionnaire: ['item.**.initialAttachment', 'item.**.answerAttachment'],
    QuestionnaireResponse: ['item.**.valueAttachment'],
    RelatedPerson: ['photo'],
    Task: ['input.valueAttachment', 'output.valueAttachment'],
  },
  DSTU2: {
    BodySite: ['image'],
    Communication: ['payload.contentAttachment'],
    CommunicationRequest: ['payload.contentAttachment'],
    Contract: [
      'bindingAttachment',
      'friendly.contentAttachment',
      'legal.contentAttachment',
      'rule.contentAttachment',
    ],
    DiagnosticReport: ['presentedForm'],
    DocumentManifest: ['content.pAttachment'],
    DocumentReference: ['content.attachment'],
    HealthcareService: ['photo'],
    ImagingStudy: ['series.instance.content'],
    Media: ['content'],
    Observation: ['valueAttachment', 'component.valueAttachment'],
    Patient: ['photo'],
    Person: ['photo'],
    Practitioner: ['photo'],
    QuestionnaireResponse: ['group.**.valueAttachment'],
    RelatedPerson: ['photo'],
  },
}
