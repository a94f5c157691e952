import { expect } from 'chai'
import { ExportError } from '../../../plugin/errors.js'
import { blaming, blamingSearch, reasonOf } from '../../../plugin/jobs/failure-reason.js'
import type { HostSearch } from '../../../plugin/search/host-search.js'

const named = (name: string) => Object.assign(new Error('no'), { name })
const answered = (statusCode: number) => Object.assign(new Error('no'), { statusCode })

/** What is thrown, by `storage` or `service`, as it comes out. */
async function thrownBy(origin: 'storage' | 'service', error: unknown): Promise<unknown> {
  return blaming(origin, () => Promise.reject(error)).catch((thrown: unknown) => thrown)
}

describe('the reason by which a failure is counted', () => {
  const rows: readonly [what: string, error: unknown, reasons: readonly [string, string, string]][] = [
    ['an error', new Error('no'), ['service', 'storage', 'other']],
    ['a time-out of the plugin', new ExportError(503, 'late', { code: 'timeout' }), repeat('timeout')],
    ['a time-out of a signal', new DOMException('late', 'TimeoutError'), repeat('timeout')],
    ['a database that is gone', named('MongoServerSelectionError'), repeat('database')],
    ['a refusal by status', answered(403), ['denied', 'storage', 'denied']],
    ['a refusal', new ExportError(401, 'no', { code: 'login' }), ['denied', 'storage', 'denied']],
    ['an answer that is none', new ExportError(500, 'neither'), ['service', 'storage', 'other']],
    ['a server that is busy', answered(503), ['service', 'storage', 'other']],
    ['an OperationOutcome', { issue: [] }, ['service', 'storage', 'other']],
    ['what is no object', 'no', repeat('other')],
    ['nothing', undefined, repeat('other')],
  ]
  for (const [what, error, [service, storage, nobody]] of rows) {
    it(`for ${what} is ${service} of a service, ${storage} of a storage, else ${nobody}`, async () => {
      expect(reasonOf(error)).to.equal(nobody)
      for (const [origin, reason] of [
        ['service', service],
        ['storage', storage],
      ] as const) {
        const own = copyOf(error)
        expect(await thrownBy(origin, own)).to.equal(own)
        expect(reasonOf(own)).to.equal(reason)
      }
    })
  }

  it('is that of the service whose lines a storage could not draw', async () => {
    const error = new Error('no')
    await thrownBy('storage', await thrownBy('service', error))
    expect(reasonOf(error)).to.equal('service')
    const wrapped = new Error('not written', { cause: error })
    await thrownBy('storage', wrapped)
    expect(reasonOf(wrapped)).to.equal('service')
  })

  it('ends in circles of causes', () => {
    const error = new Error('no')
    error.cause = error
    expect(reasonOf(error)).to.equal('other')
  })

  it('is known of what a search throws, and the search is the same otherwise', async () => {
    const error = new Error('no')
    const search: HostSearch = {
      types: () => ['Patient'],
      elementsOf: () => new Set(),
      problemOf: () => undefined,
      adapter: () => ({ search: () => Promise.reject(error) }),
    } as unknown as HostSearch
    const blamed = blamingSearch(search)
    expect(blamed.types('4_0_0')).to.deep.equal(['Patient'])
    const asked = { type: 'Patient', params: new URLSearchParams(), pageSize: 1 } as const
    const thrown = await blamed
      .adapter('http://x/4_0_0', { headers: {} })
      .search(asked)
      .catch((reason: unknown) => reason)
    expect(thrown).to.equal(error)
    expect(reasonOf(error)).to.equal('service')
  })
})

function repeat(reason: string): [string, string, string] {
  return [reason, reason, reason]
}

/** Another error that says the same, since it is the error that is remembered. */
function copyOf(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' ? { ...error } : error
  if (error instanceof ExportError) {
    return new ExportError(error.status, error.issues)
  }
  if (error instanceof DOMException) return new DOMException(error.message, error.name)
  return Object.assign(new Error(error.message), { name: error.name }, error)
}
