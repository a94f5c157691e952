import type { Duties } from '../table.js'

const WHOLE = 'allowPartialManifests is accepted, and the manifest is always one, whole, and at the end.'

/** The status of an export, and the manifest at its end. */
export const STATUS_AND_MANIFEST: Duties = {
  'ST-01': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'The status of an export that runs is 202.',
  },
  'ST-02': {
    level: 'MAY',
    versions: '1+',
    requirement: 'X-Progress tells how far it is, in less than 100 characters.',
  },
  'ST-03': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'Retry-After tells when to ask again.',
  },
  'ST-04': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'A status that is asked for too often is answered 429 with Retry-After.',
  },
  'ST-05': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'The status of an export that is complete is 200 with the manifest, as application/json.',
  },
  'ST-06': {
    level: 'SHOULD',
    versions: '2+; MAY in 1',
    requirement: 'Expires tells how long the files are kept.',
  },
  'ST-07': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'The status of an export that has failed is 4xx or 5xx.',
  },
  'ST-08': {
    level: 'SHALL',
    versions: '1; SHOULD in 2+',
    requirement: 'An OperationOutcome says why.',
  },
  'ST-09': {
    level: 'SHALL',
    versions: '2+; another type in 1',
    requirement: 'That OperationOutcome is sent as application/fhir+json.',
  },
  'ST-10': {
    level: 'SHOULD',
    versions: '2+',
    requirement:
      'A status that cannot be told just now, whatever becomes of the job, has the code transient.',
  },
  'ST-11': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      'An export that misses some resources is 200 all the same, and the error files tell of them.',
  },
  'ST-12': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement:
      'With separate-export-status the status is that of the request, and X-Export-Status that of the job.',
  },
  'ST-13': {
    level: 'SHALL NOT',
    versions: '3+',
    requirement: 'A manifest that comes before the end does not change afterwards.',
    reason: WHOLE,
  },
  'ST-14': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'The status is asked for as application/json.',
    reason: 'A duty of the client.',
  },
  'ST-15': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'With SMART the status is protected as the kick-off is.',
  },
  'ST-16': {
    level: 'ours',
    versions: '',
    requirement: 'A job that does not exist is 404, and so is one of another client.',
  },
  'ST-17': {
    level: 'ours',
    versions: '',
    requirement: 'Nobody keeps a status for later.',
  },
  'MF-01': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      'All that was updated up to transactionTime is exported, and nothing newer, so that the next _since can be that.',
  },
  'MF-02': {
    level: 'SHALL',
    versions: '1–3',
    requirement: 'request is the full URL of the kick-off.',
  },
  'MF-03': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'requiresAccessToken is true when files need the token that the API needs.',
  },
  'MF-04': {
    level: 'SHALL',
    versions: '1–3',
    requirement: 'output is there, and empty when nothing was found.',
  },
  'MF-05': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'output[].type is the one type that the file has.',
  },
  'MF-06': {
    level: 'SHALL',
    versions: '1+; absolute in 2+',
    requirement: 'output[].url is the absolute URL of the file.',
  },
  'MF-07': {
    level: 'MAY',
    versions: '1+',
    requirement: 'output[].count is the number of resources in the file.',
  },
  'MF-08': {
    level: 'SHOULD NOT',
    versions: '1–2',
    requirement: 'A type that has no resources has no file in the list.',
  },
  'MF-09': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'A type may have several files, and each file has one type.',
  },
  'MF-10': {
    level: 'SHALL',
    versions: '1–3',
    requirement: 'error is there, empty or with files of nothing but OperationOutcomes.',
  },
  'MF-12': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'With _since the list deleted has files that tell what was deleted.',
  },
  'MF-13': {
    level: 'MAY',
    versions: '1+',
    requirement: 'extension has what a server wants to say besides.',
  },
  'MF-17': {
    level: 'ours',
    versions: '',
    requirement: 'A manifest has no resourceType.',
  },
  'MF-18': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'The files can be had at their URLs.',
  },
  'MF-20': {
    level: 'MAY',
    versions: '3+',
    requirement: 'link leads to the next page of the manifest.',
    reason: WHOLE,
  },
  'MF-21': {
    level: 'SHALL',
    versions: '3+',
    requirement: 'All pages of a manifest agree in everything but their lists.',
    reason: WHOLE,
  },
  'MF-23': {
    level: 'MAY',
    versions: '3+',
    requirement: 'A manifest that is fetched again may have other URLs and another Expires.',
  },
}
