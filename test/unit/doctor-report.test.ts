import { expect } from 'chai'
import type { Diagnosis, Finding, Level } from '../../plugin/index.js'
import { exitCodeOf } from '../../scripts/doctor/exit-code.js'
import { indexCommands, reportDiagnosis } from '../../scripts/doctor/report.js'

const TYPES = ['Account', 'Basic', 'Claim', 'Device', 'Encounter', 'Flag', 'Goal', 'Group', 'Invoice', 'List']

function diagnosis(findings: readonly Finding[], more: Partial<Diagnosis> = {}): Diagnosis {
  const readings = TYPES.map((type) => ({ type, version: '4_0_0', way: 'search' as const, reason: 'so' }))
  return { level: 'ok', isComplete: true, ms: 1234, readings, findings, ...more }
}

const place = (type: string, check: string) => ({ area: 'reading', check, type, version: '4_0_0' }) as const
const good = (type: string, check: string): Finding => ({ level: 'ok', what: 'Good.', ...place(type, check) })
const bad = (type: string, level: Exclude<Level, 'ok'>, detail?: string): Finding => ({
  ...{ level, what: `A ${level}.`, cost: 'Much.', remedy: 'Mend it.', ...place(type, 'paging') },
  ...(detail === undefined ? {} : { detail }),
})

describe('the report of the doctor', () => {
  it('says the same of several types once, the worst first', () => {
    const findings = [bad('Account', 'notice'), ...TYPES.map((type) => bad(type, 'error', '3 of 4'))]
    const text = reportDiagnosis(diagnosis(findings), 300)
    expect(text.match(/A error\./g)).to.have.length(1)
    expect(text.indexOf('A error.')).to.be.below(text.indexOf('A notice.'))
    const where = 'Account (3 of 4), Basic (3 of 4), Claim (3 of 4)'
    expect(text.replaceAll(/\s+/g, ' ')).to.include(where).and.include(', and 2 more')
    expect(text).to.include('10 errors, 0 warnings, 1 notice in 1.2 s.')
  })

  it('keeps apart what costs something else', () => {
    const other = { ...bad('Basic', 'warning'), cost: 'Little.' } as Finding
    const text = reportDiagnosis(diagnosis([bad('Account', 'warning'), other]), 300)
    expect(text.match(/A warning\./g)).to.have.length(2)
  })

  it('has one line for all types that are good, and no table when all are', () => {
    const findings = TYPES.flatMap((type) => [good(type, 'answer'), good(type, 'resources')])
    const text = reportDiagnosis(diagnosis(findings.slice(0, -1)), 120)
    expect(text).to.include('nothing is wrong with 10 types, 1 of them without resources to look at.')
    expect(text).to.not.include('│')
    expect(text.split('\n').filter((line) => line !== '')).to.have.length(3)
  })

  it('does not call a type good that was not looked at', () => {
    const findings = [good('Account', 'answer'), good('Account', 'resources')]
    const text = reportDiagnosis(diagnosis(findings, { isComplete: false }), 120)
    expect(text).to.include('nothing is wrong with 1 type.').and.include('Not everything was looked at.')
  })

  for (const width of [1, 80, 120, 200]) {
    it(`fits into ${width} columns, as far as its words do`, () => {
      const text = reportDiagnosis(diagnosis([bad('Account', 'error')]), width)
      const table = text.split('\n').filter((line) => /[│─]/.test(line))
      for (const line of table) expect(line.length).to.be.at.most(Math.max(width, 90))
    })
  }

  it('has each command for an index once', () => {
    const commands = ['db.getCollection("A").createIndex({"x":1})']
    const missing = { ...bad('Account', 'warning'), commands } as Finding
    expect(indexCommands(diagnosis([missing, missing, good('Basic', 'answer')]), 'fhir')).to.equal(
      `db = db.getSiblingDB("fhir")\n${commands[0]}`,
    )
  })
})

describe('the exit code of the doctor', () => {
  const codes: readonly [Level, boolean, number][] = [
    ['ok', false, 0],
    ['notice', false, 0],
    ['warning', false, 0],
    ['error', false, 2],
    ['ok', true, 0],
    ['notice', true, 0],
    ['warning', true, 1],
    ['error', true, 2],
  ]
  for (const [level, strict, code] of codes) {
    it(`is ${code} for ${level}${strict ? ' with --strict' : ''}`, () => {
      expect(exitCodeOf({ level }, strict)).to.equal(code)
    })
  }
})
