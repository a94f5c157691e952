import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { readCommandLine } from '../../../scripts/client/command-line.js'
import { type ExportSettings, readSettings } from '../../../scripts/client/settings.js'

const NEEDED = ['--url', 'https://fhir.example.org/4_0_0/', '--out', 'x']

function settings(words: readonly string[], token?: string): ExportSettings {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() }
  const line = readCommandLine([...NEEDED, ...words], streams)
  if (line.kind === 'end') throw new Error(String(streams.stderr.read()))
  return readSettings(line.flags, token)
}

describe('the settings of the export client', () => {
  it('are those of everything, at system level, when nothing else is said', () => {
    expect(settings([])).to.deep.include({
      ...{ base: 'https://fhir.example.org/4_0_0', level: 'system', parameters: [], headers: {} },
      ...{ directory: 'x', parallel: 4, retries: 10, verify: 'lines', signIn: { kind: 'none' } },
    })
  })

  it('have all kick-off parameters', () => {
    const since = '2026-01-01T00:00:00+01:00'
    const words = [
      ...[
        '--type',
        'Patient,Group',
        '--type',
        'Condition',
        '--since',
        since,
        '--until',
        '2026-02-01T00:00:00Z',
      ],
      ...['--type-filter', 'Patient?gender=a,b', '--type-filter', 'Condition?code=c', '--elements', 'id'],
      ...['--include-associated-data', 'LatestProvenanceResources', '--output-format', 'ndjson'],
      ...['--patient', 'p1', '--patient', 'Patient/p2', '--param', '_container=a=b', '--lenient'],
      ...['--header', 'X-Tenant: a:b'],
    ]
    const { level, parameters, headers, lenient } = settings(words)
    expect({ level, lenient }).to.deep.equal({ level: 'patient', lenient: true })
    expect(headers).to.deep.equal({ 'X-Tenant': 'a:b' })
    expect(parameters).to.deep.equal([
      ...[
        ['_type', 'Patient,Group,Condition'],
        ['_since', since],
        ['_until', '2026-02-01T00:00:00Z'],
      ],
      ...[
        ['_typeFilter', 'Patient?gender=a,b'],
        ['_typeFilter', 'Condition?code=c'],
        ['_elements', 'id'],
      ],
      ...[
        ['includeAssociatedData', 'LatestProvenanceResources'],
        ['_outputFormat', 'ndjson'],
      ],
      ...[
        ['patient', 'Patient/p1'],
        ['patient', 'Patient/p2'],
        ['_container', 'a=b'],
      ],
    ])
  })

  const times: readonly (readonly [string, number])[] = [
    ['90', 90_000],
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ]
  for (const [text, ms] of times) {
    it(`reads ${text} as ${ms} ms`, () => {
      expect(settings(['--timeout', text]).timeout).to.equal(ms)
    })
  }

  it('take the token of the environment when the command line names no other way', () => {
    const backend = ['--client-id', 'c', '--private-key', 'k']
    expect(settings([], 'env\n').signIn).to.deep.equal({ kind: 'token', token: 'env' })
    expect(settings(['--token', 'own'], 'env').signIn).to.deep.equal({ kind: 'token', token: 'own' })
    expect(settings(backend, 'env').signIn).to.include({ kind: 'backend', clientId: 'c', keyFile: 'k' })
  })

  it('look only at hashes of files that are no NDJSON', () => {
    expect(settings(['--output-format', 'text/csv']).verify).to.equal('hash')
    expect(settings(['--output-format', 'application/fhir+ndjson']).verify).to.equal('lines')
  })

  const wrong: readonly (readonly [words: readonly string[], says: string])[] = [
    [['--url', 'fhir.example.org'], '--url must be an absolute'],
    [['--url', 'ftp://fhir.example.org'], '--url must be an absolute'],
    [['--url', 'https://me:word@fhir.example.org'], '--url must not have a user name'],
    [['--url', 'https://fhir.example.org?a=b'], '--url must have no query'],
    [['--level', 'galaxy'], '--level must be one of'],
    [['--level', 'group'], 'needs --group'],
    [['--level', 'patient', '--group', 'g'], 'exclude each other'],
    [['--level', 'system', '--patient', 'p'], '--patient is for'],
    [['--since', 'yesterday'], '--since must be an instant'],
    [['--since', '2026-01-01'], '--since must be an instant'],
    [['--since', '2026-01-01T00:00:00Z', '--since-last'], 'exclude each other'],
    [['--param', '_since=2026-01-01T00:00:00Z', '--since-last'], 'exclude each other'],
    [['--param', 'nothing'], '--param must be NAME=VALUE'],
    [['--header', 'nothing'], '--header must be'],
    [['--header', 'A: b\nC: d'], '--header must be'],
    [['--parallel', '0'], '--parallel must be a whole number from 1 to 32'],
    [['--parallel', 'many'], '--parallel must be a whole number'],
    [['--retries', '1.5'], '--retries must be a whole number'],
    [['--timeout', '0'], '--timeout must be more than nothing'],
    [['--timeout', '99d'], '--timeout must be more than nothing and at most 24d'],
    [['--verify', 'perhaps'], '--verify must be one of'],
    [['--prefer', 'respond-sync'], '--prefer must be handling=lenient'],
    [['--client-id', 'c'], 'needs both --client-id ID and --private-key'],
    [['--token', 't', '--client-id', 'c'], 'exclude each other'],
    [['--nonsense'], 'unknown option'],
    [['word'], 'too many arguments'],
  ]
  for (const [words, says] of wrong) {
    it(`refuse ${words.join(' ').replace('\n', '\\n')}`, () => {
      expect(() => settings(words)).to.throw(says)
    })
  }
})
