import type { Duties } from '../table.js'

/** The request that starts an export, and what is exported because of it. */
export const KICK_OFF: Duties = {
  'KO-01': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'An export is started at the levels that the server has chosen, and goes on asynchronously.',
  },
  'KO-02': {
    level: 'SHALL',
    versions: '1–3',
    requirement: 'A kick-off may come by GET.',
  },
  'KO-03': {
    level: 'SHALL',
    versions: '4; MAY in 2–3',
    requirement: 'A kick-off may come by POST, with its parameters in a Parameters resource.',
  },
  'KO-04': {
    level: 'ours',
    versions: '',
    requirement: 'A body that is no Parameters resource is refused; one without parameters is fine.',
  },
  'KO-05': {
    level: 'MAY',
    versions: '1+',
    requirement: 'A kick-off without a usable Accept header is refused or taken, as the host has set it.',
  },
  'KO-06': {
    level: 'MAY',
    versions: '1+',
    requirement: 'A kick-off without Prefer: respond-async is refused or taken, as the host has set it.',
  },
  'KO-07': {
    level: 'MAY',
    versions: '2+',
    requirement: 'With handling=lenient a kick-off goes on without what the server does not support.',
  },
  'KO-08': {
    level: 'SHALL if offered',
    versions: '3+',
    requirement:
      'A kick-off that prefers separate-export-status is told with Preference-Applied that it gets that.',
  },
  'KO-09': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'A kick-off that is taken is answered 202.',
  },
  'KO-10': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Content-Location of that answer is the absolute URL where the status is asked for.',
  },
  'KO-11': {
    level: 'MAY',
    versions: '1+',
    requirement: 'That answer has an OperationOutcome as its body, or none.',
  },
  'KO-12': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'A kick-off that is refused gets a 4xx or 5xx status and an OperationOutcome in JSON.',
  },
  'KO-13': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'A client that has too much under way already is answered 429 with Retry-After.',
  },
  'KO-14': {
    level: 'SHOULD',
    versions: '1+',
    requirement:
      'At patient and group level the patient compartment says what is exported, patients included.',
  },
  'KO-15': {
    level: 'MAY',
    versions: '1+',
    requirement: 'Resources outside of the compartment that are of use come with it.',
  },
  'KO-16': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Nothing is exported that the client may not see.',
  },
  'KO-17': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'A request for a type that the server cannot export is refused with details.',
  },
  'KO-18': {
    level: 'MAY',
    versions: '1+',
    requirement: 'References are relative, or absolute with the base URL of the server.',
  },
  'KO-19': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Of each resource only its current version is exported.',
  },
  'KO-20': {
    level: 'SHALL',
    versions: '3+; SHOULD in 2',
    requirement: 'The CapabilityStatement lists the export operations that the server has.',
  },
  'KO-21': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'CapabilityStatement.instantiates names the statement of the guide.',
  },
  'KO-22': {
    level: 'SHOULD',
    versions: '3+',
    requirement:
      'The CapabilityStatement lists the types that can be exported, with the search parameters of their filters.',
  },
  'KO-23': {
    level: 'SHOULD',
    versions: '3+',
    requirement:
      'Types and parameters that work in searches but not in exports are marked so in the CapabilityStatement.',
  },
  'KO-24': {
    level: 'SHOULD',
    versions: '2+',
    requirement: 'Levels, parameters, formats, file limits and the like are documented.',
    reason:
      'No test can prove a document; README.md is that of the plugin, and profiles are for the host to document.',
  },
  'KO-25': {
    level: 'MAY',
    versions: '4',
    requirement: 'Several versions of the guide at one server have operations of different names.',
  },
  'KO-26': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Connections use TLS 1.2 or later.',
    reason: 'TLS is the business of the host, or of the proxy in front of it: the plugin opens no port.',
  },
  'KO-27': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'Heavy exports must not keep the server from its other work.',
  },
}
