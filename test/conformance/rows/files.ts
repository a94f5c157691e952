import type { Duties } from '../table.js'

/** The files of an export, and the end of it by DELETE. */
export const FILES: Duties = {
  'FL-01': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'A file is answered 200.',
  },
  'FL-02': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'NDJSON files are sent as application/fhir+ndjson.',
  },
  'FL-03': {
    level: 'MAY',
    versions: '1+',
    requirement: 'A file can be had without an Accept header.',
  },
  'FL-04': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'A file comes plain, or in a coding that the client takes, which Content-Encoding names.',
  },
  'FL-05': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Each line is one resource in JSON, in UTF-8, and ends with a newline.',
  },
  'FL-06': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'All resources of a file are of the type that the manifest says.',
  },
  'FL-07': {
    level: 'ours',
    versions: '',
    requirement: 'Nothing is added to resources that would make them invalid.',
  },
  'FL-08': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'With requiresAccessToken files are not to be had without a token.',
  },
  'FL-09': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'The token has to cover the type of the file.',
  },
  'FL-10': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'Without requiresAccessToken the URL of a file is enough.',
  },
  'FL-11': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'A file that cannot be had is 4xx or 5xx.',
  },
  'FL-12': {
    level: 'SHOULD NOT',
    versions: '1+',
    requirement: 'A file is not taken away from a client that is just loading it.',
  },
  'FL-13': {
    level: 'ours',
    versions: '',
    requirement: 'A download can be gone on with by Range.',
  },
  'FL-14': {
    level: 'ours',
    versions: '',
    requirement: 'A file has a tag that stays, and is not to be stored by others.',
  },
  'FL-30': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'Each line about deletions is a transaction Bundle of DELETE requests.',
  },
  'FL-31': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'With _since what was deleted after it is told, as far as the request would have had it.',
  },
  'FL-32': {
    level: 'SHALL NOT',
    versions: '2+',
    requirement: 'What is in output is not told as deleted.',
  },
  'FL-33': {
    level: 'ours',
    versions: '',
    requirement: '_type and the level hold for deletions too.',
  },
  'FL-40': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'A Binary about one patient is exported as the attachment of a DocumentReference.',
  },
  'FL-41': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'An attachment has a contentType, and its data or a URL.',
  },
  'FL-42': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'The URL of an attachment is absolute.',
  },
  'FL-43': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'The token that opens the files opens the attachments, or none is needed for either.',
  },
  'FL-44': {
    level: 'ours',
    versions: '',
    requirement: 'An attachment is answered as the bytes that it is.',
  },
  'DL-01': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'DELETE of the status URL is answered 202.',
  },
  'DL-02': {
    level: 'MAY',
    versions: '1+',
    requirement: 'That answer has an OperationOutcome as its body, or none.',
  },
  'DL-03': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'After that the status is 404 with an OperationOutcome.',
  },
  'DL-04': {
    level: 'MAY',
    versions: '2+',
    requirement: 'DELETE of an export that is complete removes its files.',
  },
  'DL-05': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'DELETE of what is not there is 4xx with an OperationOutcome.',
  },
  'DL-06': {
    level: 'ours',
    versions: '',
    requirement: 'An export that is deleted while it runs does not go on.',
  },
  'DL-07': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'With SMART DELETE is protected as the kick-off is.',
  },
}
