import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import type express from 'express'
import { type AuthorizeOperator, ExportError } from '../../plugin/index.js'
import { startHost } from '../support/export-host.js'
import { useDatabase } from '../support/mongodb.js'

interface Example {
  readonly what: string
  /** The file, and what is in no other example of it. */
  readonly from: readonly [file: string, words: string]
  readonly request: Readonly<Record<string, string>>
  readonly status: number
}

const SESSION = ['README.md', 'source.session'] as const
const PASSWORD = ['plugin/OPERATING.md', 'timingSafeEqual'] as const
const TOKEN = ['plugin/OPERATING.md', 'await authorizeExport'] as const
const basic = (text: string) => ({ Authorization: `Basic ${Buffer.from(text).toString('base64')}` })

const EXAMPLES: readonly Example[] = [
  {
    what: 'an operator with a session',
    from: SESSION,
    request: { 'X-Role': 'export-operator' },
    status: 200,
  },
  { what: 'somebody else with a session', from: SESSION, request: { 'X-Role': 'nurse' }, status: 403 },
  { what: 'nobody, where a session is wanted', from: SESSION, request: {}, status: 401 },
  { what: 'the right password', from: PASSWORD, request: basic('operator:s3cret'), status: 200 },
  { what: 'a wrong password', from: PASSWORD, request: basic('operator:s3cre'), status: 401 },
  { what: 'no password', from: PASSWORD, request: {}, status: 401 },
  {
    what: 'something else than a password',
    from: PASSWORD,
    request: { Authorization: 'Bearer x' },
    status: 401,
  },
  {
    what: 'a token with the role',
    from: TOKEN,
    request: { Authorization: 'Bearer export-operator' },
    status: 200,
  },
  { what: 'a token without it', from: TOKEN, request: { Authorization: 'Bearer nurse' }, status: 403 },
  { what: 'no token', from: TOKEN, request: {}, status: 401 },
]

describe("the examples for the operator's page in the documentation", () => {
  const database = useDatabase()
  for (const { what, from, request, status } of EXAMPLES) {
    it(`answer ${what}: ${status}`, async () => {
      const host = await startHost(database, {
        types: ['Patient'],
        before: session,
        options: {
          authorize: async ({ headers }) => {
            const role = /^Bearer (.+)/.exec(headers['authorization'] ?? '')?.[1]
            if (role === undefined) throw new ExportError(401, 'A token, please.', { code: 'login' })
            return { clientId: 'c', types: 'all', user: { sub: 'ada', roles: [role] } }
          },
          operatorPage: await example(...from),
        },
      })
      try {
        const answer = await fetch(`${host.base.replace('/4_0_0', '')}/exports`, { headers: request })
        expect(answer.status).to.equal(status)
        const asks = answer.headers.get('www-authenticate') ?? ''
        expect(asks.startsWith('Basic '), 'whether a browser asks').to.equal(
          from === PASSWORD && status === 401,
        )
      } finally {
        await host.close()
      }
    })
  }
})

/** As the middleware of a host does it. */
const session: express.RequestHandler = (request, _response, next) => {
  const role = request.headers['x-role']
  Object.assign(request, { session: role === undefined ? {} : { user: { name: 'ada', roles: [role] } } })
  next()
}

/** Runs the JavaScript block of a file that has these words, and gives its `operatorPage`. */
async function example(file: string, words: string): Promise<{ authorize: AuthorizeOperator }> {
  const text = await readFile(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8')
  const blocks = [...text.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code ?? '')
  const found = blocks.filter((code) => code.includes(words) && code.includes('operatorPage'))
  expect(found, `${file}: ${words}`).to.have.length(1)
  const required = createRequire(import.meta.url)
  const require = (name: string) =>
    name === 'node-fhir-server-bulk-export' ? { ExportError } : required(name)
  const process = { env: { OPERATOR_PASSWORD: 's3cret' } }
  const run = new Function(
    'require',
    'process',
    'ExportError',
    `${withoutImport(found[0] ?? '')}; return operatorPage`,
  )
  return run(require, process, ExportError) as { authorize: AuthorizeOperator }
}

/** What stands in the parameters already. */
function withoutImport(code: string): string {
  return code.replace(/^const \{ ExportError \} = .*$/m, '')
}
