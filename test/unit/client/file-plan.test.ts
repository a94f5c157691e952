import { resolve, sep } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { planFiles } from '../../../scripts/client/file-plan.js'

const LAST = fc.oneof(
  fc.constantFrom(
    'Patient-1.ndjson',
    'PATIENT-1.ndjson',
    'Patient-2.ndjson',
    'Group-1.ndjson',
    '.ndjson',
    '',
  ),
  fc.constantFrom('..', '%2e%2e', '..%2F..%2Fetc%2Fpasswd', 'manifest.json', '.bulk-export.json', 'a.part'),
  fc.string({ maxLength: 300 }).map(encodeURIComponent),
  fc.string({ maxLength: 300 }).map((text) => `${encodeURIComponent(text)}.ndjson`),
)
const FILES = fc.array(
  fc.record(
    {
      url: LAST.map((last) => `https://files.example.org/x/${last}?signature=1`),
      type: fc.oneof(fc.constantFrom('Patient', 'Group', '../../x', 'Con'), fc.string({ minLength: 1 })),
    },
    { requiredKeys: ['url'] },
  ),
  { maxLength: 12 },
)

describe('planFiles', () => {
  it('has a name of its own for each file, inside of the folder, the same each time', () => {
    fc.assert(
      fc.property(FILES, FILES, FILES, (output, deleted, error) => {
        const manifest = {
          ...{ transactionTime: '2026-01-01T00:00:00Z', request: '', requiresAccessToken: false },
          ...{ output, deleted, error },
        }
        const files = planFiles(manifest)
        expect(files).to.have.length(output.length + deleted.length + error.length)
        const names = files.map(({ name }) => name)
        expect(new Set(names.map((name) => name.toLowerCase())).size).to.equal(names.length)
        for (const { kind, name } of files) {
          const folder = resolve('/export', kind === 'output' ? '.' : kind)
          const path = resolve('/export', name)
          expect(path.startsWith(folder + sep)).to.equal(true)
          expect(path.slice(folder.length + 1)).to.match(/^\w[\w.-]{0,160}\.ndjson$/)
        }
        expect(planFiles(manifest).map(({ name }) => name)).to.deep.equal(names)
      }),
    )
  })

  it('keeps the names of the server', () => {
    const url = 'https://files.example.org/exports/1/Patient-7.ndjson?X-Amz-Signature=abc'
    const manifest = {
      ...{ transactionTime: '', request: '', requiresAccessToken: false },
      output: [{ url }],
    }
    const [file] = planFiles({ ...manifest, deleted: [{ url }], error: [] })
    expect(file?.name).to.equal('Patient-7.ndjson')
  })
})
