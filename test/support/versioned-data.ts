import type { TestResource } from './export-host.js'

/** A resource and the patients in whose compartments it is, as the page of the release about the compartment has it. */
export interface OwnedResource {
  readonly resource: TestResource
  readonly owners: readonly string[]
}

export const PATIENTS = ['p1', 'p2', 'p3', 'p4', 'p5'] as const
/** Those of `Group/g1` that count: p2 was a member. */
export const MEMBERS = ['p1', 'p3'] as const
/** What is of an even patient was updated before this moment, all else after it. */
export const SINCE = '2024-06-01T00:00:00Z'

type Elements = Readonly<Record<string, unknown>>
type MakeElements = (patient: object, other: object) => Elements

const CODE = { text: 'c' }

/** Ways into a compartment that are in every release. */
const EVERYWHERE: readonly (readonly [type: string, elements: MakeElements])[] = [
  ['Observation', (subject) => ({ status: 'final', code: CODE, subject, valueString: 'a', comment: 'b' })],
  [
    'Observation',
    (patient, other) => ({ status: 'amended', code: CODE, subject: other, performer: [patient] }),
  ],
  ['Procedure', (subject) => ({ status: 'completed', subject, code: CODE })],
  ['Procedure', (actor, subject) => ({ status: 'completed', subject, code: CODE, performer: [{ actor }] })],
  ['Composition', (party, subject) => ({ subject, attester: [{ party }] })],
  ['Communication', (patient, subject) => ({ subject, recipient: [patient] })],
  ['Immunization', (patient) => ({ patient, status: 'completed' })],
  ['RelatedPerson', (patient) => ({ patient })],
  ['Person', (target) => ({ link: [{ target }] })],
  ['Schedule', (actor) => ({ actor: [actor] })],
  ['Appointment', (actor) => ({ status: 'booked', participant: [{ actor, status: 'accepted' }] })],
  ['QuestionnaireResponse', (author, subject) => ({ status: 'completed', subject, author })],
]

const DSTU2: typeof EVERYWHERE = [
  ['Encounter', (patient) => ({ status: 'finished', patient })],
  ['Condition', (patient) => ({ patient, code: CODE, verificationStatus: 'confirmed', notes: 'n' })],
  ['MedicationStatement', (patient) => ({ patient, status: 'active' })],
  ['MedicationStatement', (informationSource, patient) => ({ patient, informationSource })],
  ['MedicationAdministration', (patient) => ({ patient })],
  ['MedicationDispense', (patient) => ({ patient })],
  ['CarePlan', (member, subject) => ({ subject, participant: [{ member }] })],
  ['AuditEvent', (reference) => ({ participant: [{ reference }] })],
  ['AuditEvent', (reference) => ({ object: [{ reference }] })],
  ['ClinicalImpression', (patient) => ({ patient })],
  ['SupplyRequest', (patient) => ({ patient })],
  ['CommunicationRequest', (requester, subject) => ({ subject, requester })],
]

const STU3: typeof EVERYWHERE = [
  ['Encounter', (subject) => ({ status: 'finished', subject })],
  ['Condition', (subject) => ({ subject, note: [{ text: 'n' }] })],
  ['Condition', (asserter, subject) => ({ subject, asserter })],
  ['CommunicationRequest', (agent, subject) => ({ subject, requester: { agent } })],
  ['DeviceRequest', (agent, subject) => ({ subject, intent: CODE, requester: { agent } })],
  ['SupplyRequest', (agent) => ({ requester: { agent } })],
  ['RequestGroup', (patient) => ({ action: [{ participant: [patient] }] })],
  ['CareTeam', (member, subject) => ({ subject, participant: [{ member }] })],
  ['AuditEvent', (reference) => ({ agent: [{ reference }] })],
  ['AuditEvent', (reference) => ({ entity: [{ reference }] })],
  ['Coverage', (policyHolder) => ({ policyHolder })],
  ['MeasureReport', (patient) => ({ patient })],
  ['MedicationRequest', (subject) => ({ subject, intent: 'order' })],
]

const R4: typeof EVERYWHERE = [
  ['Encounter', (subject) => ({ status: 'finished', subject })],
  ['Condition', (subject) => ({ subject, note: [{ text: 'n' }] })],
  ['ServiceRequest', (subject) => ({ status: 'active', intent: 'order', subject })],
  ['SupplyRequest', (deliverTo) => ({ deliverTo })],
  ['CommunicationRequest', (requester, subject) => ({ subject, requester })],
  ['AuditEvent', (who) => ({ agent: [{ who }] })],
  ['AuditEvent', (what) => ({ entity: [{ what }] })],
  ['MolecularSequence', (patient) => ({ patient })],
]

const WAYS: Readonly<Record<string, typeof EVERYWHERE>> = {
  '4_0_0': R4,
  '4_0_1': R4,
  '3_0_1': STU3,
  '1_0_2': DSTU2,
}

/** Resources in the form of a version, for each of the patients one by each way into the compartment, and others. */
export function versionedData(version: string): readonly OwnedResource[] {
  const ways = [...EVERYWHERE, ...(WAYS[version] ?? [])]
  const nobody = { reference: 'Organization/o1' }
  const member = MEMBERS.map((id) => ({ entity: { reference: `Patient/${id}` } }))
  const former = { entity: { reference: 'Patient/p2' }, inactive: true }
  return [
    ...PATIENTS.flatMap((id, index) => {
      const meta = { lastUpdated: index % 2 === 0 ? '2024-09-01T00:00:00Z' : '2024-01-01T00:00:00Z' }
      const reference = { reference: `Patient/${id}` }
      const others = ways.map(([resourceType, elements], way) => ({
        ...{ resourceType, id: `${id}-${way}`, meta, ...elements(reference, nobody) },
      }))
      const patient = {
        resourceType: 'Patient',
        id,
        meta,
        gender: 'other',
        link: [{ other: { reference: 'Patient/p1' } }],
      }
      return [patient, ...others].map((resource) => ({ resource, owners: [id] }))
    }),
    {
      resource: {
        ...{ resourceType: 'Group', id: 'g1', meta: { lastUpdated: '2024-09-01T00:00:00Z' } },
        ...{ type: 'person', actual: true, member: [...member, former] },
      },
      owners: [...MEMBERS, 'p2'],
    },
    {
      resource: { resourceType: 'Organization', id: 'o1', meta: { lastUpdated: '2024-09-01T00:00:00Z' } },
      owners: [],
    },
  ]
}
