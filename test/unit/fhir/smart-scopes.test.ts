import { expect } from 'chai'
import { grantedTypes, isGranted, scopesIn } from '../../../plugin/fhir/smart-scopes.js'

/** What the scopes of a token grant: `all`, or the types with spaces between them. */
function granted(claim: unknown): string {
  const types = grantedTypes(scopesIn(claim))
  return types === 'all' ? 'all' : [...types].sort().join(' ')
}

/** All 32 ways to leave letters of `cruds` out. */
const PERMISSIONS = Array.from({ length: 32 }, (_, bits) =>
  [...'cruds'].filter((_letter, index) => bits & (1 << index)).join(''),
)

describe('SMART scopes [AU-03]', () => {
  const cases: readonly (readonly [scopes: string, granted: string])[] = [
    // v1
    ['system/Patient.read', 'Patient'],
    ['system/Patient.*', 'Patient'],
    ['system/Patient.write', ''],
    ['system/*.read', 'all'],
    ['system/*.*', 'all'],
    ['system/*.write', ''],
    // v2
    ['system/Patient.rs', 'Patient'],
    ['system/*.rs', 'all'],
    ['system/*.cruds', 'all'],
    ['system/*.r', ''],
    ['system/*.s', ''],
    ['system/*.cud', ''],
    // of other kinds
    ['user/Patient.read', ''],
    ['user/*.*', ''],
    ['user/*.cruds', ''],
    ['patient/Patient.rs', ''],
    ['patient/*.read', ''],
    ['practitioner/*.read', ''],
    ['openid fhirUser launch launch/patient offline_access online_access', ''],
    // with a constraint
    ['system/Observation.rs?category=laboratory', ''],
    ['system/Observation.rs?', ''],
    ['system/Observation.read?category=laboratory', ''],
    ['system/*.rs?_security=N', ''],
    ['system/Observation.rs?category=http://example.org|a&status=final', ''],
    ['system/Observation.rs?code=a,b', ''],
    ['system/Observation.rs?code=a,system/*.rs', ''],
    ['system/Observation.rs?code=a,system/Patient.read,system/Group.read', ''],
    ['system/Patient.read,system/Observation.rs?code=a,system/*.read', ''],
    ['system/Patient.rs system/Observation.rs?category=laboratory', 'Patient'],
    ['system/Observation.rs?category=laboratory system/Observation.rs', 'Observation'],
    // many
    ['system/Patient.read system/Observation.rs', 'Observation Patient'],
    ['system/Patient.rs system/Patient.rs', 'Patient'],
    ['system/Patient.c system/Patient.rs', 'Patient'],
    ['system/Patient.read system/*.rs', 'all'],
    ['system/*.write system/Patient.read', 'Patient'],
    // The rights for one type do not add up over several scopes: each has to grant an export by itself.
    ['system/Patient.r system/Patient.s', ''],
    ['openid system/Patient.read patient/Observation.read user/*.read', 'Patient'],
    ['system/Patient.read,system/Group.read', 'Group Patient'],
    ['  system/Patient.read \t\n system/Group.read  ', 'Group Patient'],
    // malformed
    ['', ''],
    [' ', ''],
    [',', ''],
    ['*', ''],
    ['system', ''],
    ['system/', ''],
    ['system/.read', ''],
    ['system/Patient', ''],
    ['system/Patient.', ''],
    ['system/*', ''],
    ['system/*.', ''],
    ['system/Patient.sr', ''],
    ['system/Patient.rrs', ''],
    ['system/Patient.RS', ''],
    ['system/Patient.reads', ''],
    ['system/Patient.read.read', ''],
    ['system/Patient.*s', ''],
    ['system/Patient.**', ''],
    ['system/patient.read', ''],
    ['System/Patient.read', ''],
    ['SYSTEM/*.READ', ''],
    ['system/Pat*.read', ''],
    ['system/**.read', ''],
    ['system//Patient.read', ''],
    ['xsystem/Patient.read', ''],
    ['system/Patient.read"', ''],
    ['system/Patient.read#x', ''],
    ['system/Patient/1.read', ''],
    ['system.Patient.read', ''],
    ['https://example.org/system/*.read', ''],
  ]
  for (const [scopes, expected] of cases) {
    it(`${JSON.stringify(scopes)} grants ${expected === '' ? 'nothing' : expected}${scopes.includes('?') ? ' [AU-04]' : ''}`, () => {
      expect(granted(scopes), 'one text').to.equal(expected)
      if (!scopes.includes(' ')) expect(granted([scopes]), 'an array of one').to.equal(expected)
    })
  }

  for (const permission of PERMISSIONS) {
    const suffices = permission.includes('r') && permission.includes('s')
    it(`v2 permissions "${permission}" ${suffices ? 'suffice' : 'do not suffice'}`, () => {
      expect(granted(`system/Patient.${permission}`)).to.equal(suffices ? 'Patient' : '')
      expect(granted(`system/*.${permission}`)).to.equal(suffices ? 'all' : '')
      expect(granted(`system/Patient.${permission}?_id=1`), 'with a constraint').to.equal('')
      expect(granted(`user/Patient.${permission} patient/*.${permission}`), 'of other kinds').to.equal('')
    })
  }

  const claims: readonly (readonly [what: string, claim: unknown, granted: string])[] = [
    ['an array', ['system/Patient.read', 'system/Group.rs'], 'Group Patient'],
    ['an array of texts with several', ['system/Patient.read system/Group.rs', 'openid'], 'Group Patient'],
    ['an array with other things in it', [null, 1, {}, ['system/*.read'], 'system/Patient.rs'], 'Patient'],
    ['an empty array', [], ''],
    ['nothing', undefined, ''],
    ['null', null, ''],
    ['a number', 7, ''],
    ['true', true, ''],
    ['an object', { 'system/*.read': true }, ''],
    ['a String object', Object('system/*.read'), ''],
  ]
  for (const [what, claim, expected] of claims) {
    it(`as ${what} grant ${expected === '' ? 'nothing' : expected}`, () =>
      expect(granted(claim)).to.equal(expected))
  }

  it('grant exactly the types they name', () => {
    const types = grantedTypes(['system/Patient.read', 'system/Observation.rs'])
    const tried = ['Patient', 'Observation', 'Group', 'patient', '', '*', 'constructor']
    expect(tried.filter((type) => isGranted(type, types))).to.deep.equal(['Patient', 'Observation'])
    expect(tried.filter((type) => isGranted(type, new Set()))).to.deep.equal([])
    expect(isGranted('Anything', 'all')).to.equal(true)
  })
})
