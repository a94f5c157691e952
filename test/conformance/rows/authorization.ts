import type { Duties } from '../table.js'

/** Who may export what. */
export const AUTHORIZATION: Duties = {
  'AU-01': {
    level: 'SHOULD',
    versions: '2+; encouraged in 1',
    requirement: 'Tokens of SMART Backend Services authorise exports.',
  },
  'AU-02': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'Status and files take a token that covers all that is exported, as the kick-off does.',
  },
  'AU-03': {
    level: 'SHALL',
    versions: '1+',
    requirement:
      'The system scopes of SMART v1 and v2 say which types may be exported, and no other scopes do.',
  },
  'AU-04': {
    level: 'ours',
    versions: 'SMART',
    requirement: 'A scope with a constraint grants no more than the constraint does: here, nothing.',
  },
  'AU-05': {
    level: 'SHALL',
    versions: '1+',
    requirement: 'Without a token, or with a bad one, nothing is given away.',
  },
  'AU-06': {
    level: 'SHOULD',
    versions: '1+',
    requirement: 'An export of types that the scopes do not cover is refused at once.',
  },
  'AU-07': {
    level: 'ours',
    versions: 'SMART',
    requirement: 'An export outlives the token that started it.',
  },
  'AU-08': {
    level: 'MAY',
    versions: '1+',
    requirement: '.well-known/smart-configuration tells clients where tokens are to be had.',
  },
  'AU-09': {
    level: 'MAY',
    versions: '1+',
    requirement: 'The CapabilityStatement tells where tokens are to be had.',
  },
  'AU-10': {
    level: 'SHALL',
    versions: 'SMART',
    requirement: 'The token endpoint checks assertions and scopes as SMART has it.',
    reason: 'The token endpoint belongs to the authorisation server of the host, not to this plugin.',
  },
  'AU-11': {
    level: 'SHALL',
    versions: '2+',
    requirement: 'Consent and local rules limit what is exported.',
  },
  'AU-12': {
    level: 'ours',
    versions: '',
    requirement: 'The CapabilityStatement can be read without a token.',
  },
}
