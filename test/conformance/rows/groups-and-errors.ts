import type { Duties } from '../table.js'

/** Groups, what is answered when something goes wrong, empty exports, and order. */
export const GROUPS_AND_ERRORS: Duties = {
  'GR-01': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'An export at group level is about all members of the group.',
  },
  'GR-02': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'Groups can be read and searched.',
    reason: 'Reading and searching are the host’s own API, to which the plugin adds nothing.',
  },
  'GR-03': {
    level: 'ours',
    versions: '',
    requirement:
      'Members that are inactive or of another time do not count, those of groups in the group do.',
  },
  'GR-04': {
    level: 'ours',
    versions: '',
    requirement: 'A group that does not exist is 404.',
  },
  'GR-05': {
    level: 'SHOULD',
    versions: '3+',
    requirement: 'A client that may not read a group may not export it.',
  },
  'GR-06': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'Who may export which group can be restricted by rules of the server.',
  },
  'GR-08': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement: 'Cohorts are created asynchronously by the Bulk Cohort API.',
    reason: 'Creating groups is the host’s own API; the plugin exports those that there are.',
  },
  'GR-09': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'A group with member filters has those members that match all of its filters.',
  },
  'GR-10': {
    level: 'ours',
    versions: '',
    requirement: 'A group without members has an export without files.',
  },
  'ERR-01': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      'A header, body or parameter that is wrong or not supported is 4xx with an OperationOutcome.',
  },
  'ERR-02': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'Lenient, what can be left out is, and a warning in the error files says so.',
  },
  'ERR-03': {
    level: 'ours',
    versions: '',
    requirement: 'What cannot be left out without another meaning is refused even when lenient.',
  },
  'ERR-04': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'No token, or a bad one, is 401 with WWW-Authenticate and an OperationOutcome.',
  },
  'ERR-05': {
    level: 'SHOULD',
    versions: 'SMART',
    requirement: 'A _type that the token does not cover is 403 at the kick-off.',
  },
  'ERR-06': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Without _type what the token covers is exported, and no more.',
  },
  'ERR-07': {
    level: 'MAY',
    versions: 'SMART',
    requirement: 'What the rules of the server keep back is left out.',
  },
  'ERR-08': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'Too many exports and too many questions are 429 with Retry-After.',
  },
  'ERR-09': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      'Resources that cannot be exported are told in the error files, and the others are exported.',
  },
  'ERR-10': {
    level: 'MAY',
    versions: '1+',
    requirement: 'Whether an export fails over a whole type that cannot be read is for the server to say.',
  },
  'ERR-11': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'An export whose data or storage cannot be had is over, with 5xx and an OperationOutcome.',
  },
  'ERR-12': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'A status that cannot be looked up for a while is 503, transient, with Retry-After.',
  },
  'ERR-13': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'A job that is unknown, deleted or expired is 404 with an OperationOutcome.',
  },
  'ERR-14': {
    level: 'ours',
    versions: '',
    requirement: 'A file that is gone is 404.',
  },
  'ERR-15': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Each OperationOutcome is valid: its issues have a severity and a code of R4.',
  },
  'EE-01': {
    level: 'SHOULD',
    versions: '1–3',
    requirement: 'An export that finds nothing is 200 with empty lists.',
  },
  'EE-02': {
    level: 'ours',
    versions: '',
    requirement: 'There are no empty files.',
  },
  'OR-02': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'The limits of file sizes are documented.',
    reason: 'No test can prove a document; README.md names maxFileResources and maxFileBytes.',
  },
  'OR-03': {
    level: 'ours',
    versions: '',
    requirement: 'Files are listed by type and number, and roll over by resources and bytes.',
  },
}
