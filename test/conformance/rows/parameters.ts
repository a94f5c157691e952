import type { Duties } from '../table.js'

/** Parameters in general, and those for format, time and type. */
export const PARAMETERS: Duties = {
  'QP-01': {
    level: 'SHALL',
    versions: '2–3',
    requirement: 'A parameter that takes a list may be repeated, which means the same as commas.',
  },
  'QP-02': {
    level: 'SHALL NOT',
    versions: '4',
    requirement: 'Clients send no lists with commas.',
    reason: 'A duty of the client.',
  },
  'QP-03': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'By POST each value is a parameter of its own, of the type that the operation defines.',
  },
  'QP-04': {
    level: 'SHOULD',
    versions: '2+',
    requirement:
      'A parameter or value that the server does not support is refused, unless handling is lenient.',
  },
  'QP-05': {
    level: 'SHOULD',
    versions: '2+',
    requirement:
      'What lenient handling has left out is told by an OperationOutcome each, in the error files.',
  },
  'QP-06': {
    level: 'ours',
    versions: '',
    requirement: 'A parameter that may come once and comes twice is refused.',
  },
  'QP-07': {
    level: 'ours',
    versions: '',
    requirement: 'A parameter that nobody knows is one that is not supported.',
  },
  'QP-10': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      '_outputFormat may be application/fhir+ndjson, which is the default, application/ndjson or ndjson.',
  },
  'QP-11': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Output comes as NDJSON.',
  },
  'QP-12': {
    level: 'ours',
    versions: '',
    requirement: 'Another _outputFormat is refused, lenient or not.',
  },
  'QP-20': {
    level: 'SHALL',
    versions: '2+; MAY in 1',
    requirement: 'With _since only resources come that were updated after it.',
  },
  'QP-21': {
    level: 'SHALL',
    versions: '1+',
    requirement: '_since and the like are instants: a date and a time with a zone.',
  },
  'QP-22': {
    level: 'ours',
    versions: '',
    requirement: 'A _since in the future is refused.',
  },
  'QP-23': {
    level: 'SHOULD',
    versions: '2+',
    requirement:
      'It is documented whether _since leaves out the older resources of patients that have joined a group since.',
    reason: 'No test can prove a document; README.md says what _since does for groups.',
  },
  'QP-24': {
    level: 'MAY',
    versions: '2+',
    requirement: 'Resources that others refer to come whatever _since says.',
  },
  'QP-25': {
    level: 'MAY',
    versions: '2+',
    requirement: 'A resource that does not tell when it was updated comes all the same.',
  },
  'QP-26': {
    level: 'MAY',
    versions: '3+',
    requirement: 'With _until only resources come that were updated before it.',
  },
  'QP-27': {
    level: 'SHOULD',
    versions: '3+',
    requirement: 'Clinical dates are asked for with _typeFilter.',
    reason: 'A duty of the client.',
  },
  'QP-30': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'With _type only resources of those types come.',
  },
  'QP-31': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Without _type everything comes that the server supports and the client may see.',
  },
  'QP-32': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'A server that does not support _type refuses it.',
    reason: 'This server supports _type.',
  },
  'QP-33': {
    level: 'SHOULD',
    versions: '1+',
    requirement:
      'Types that the server does not have, or only types outside of the compartment, are refused.',
  },
  'QP-34': {
    level: 'ours',
    versions: '',
    requirement: 'Patients do not come with other types unless _type names them.',
  },
}
