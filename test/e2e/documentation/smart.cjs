// The snippet changes `config`, and its strategy is the file beside.
const assert = require('node:assert/strict')
const { createBulkExport } = require('node-fhir-server-bulk-export')
const { config, mongodb, storage, serve, kickOff, exported, play } = require('./host.cjs')

play(async () => {
  // <snippet>

  const base = await serve(createBulkExport({ config, mongodb, storage }))
  const bearer = (token) => ({ authorization: `Bearer ${token}` })
  const { TOKEN, PATIENT_TOKEN, BAD_TOKEN } = process.env
  assert.equal((await kickOff(base, '$export')).status, 401)
  assert.equal((await kickOff(base, '$export', bearer(BAD_TOKEN))).status, 401)
  assert.equal((await kickOff(base, '$export?_type=Observation', bearer(PATIENT_TOKEN))).status, 403)
  assert.deepEqual(await exported(base, '$export', bearer(PATIENT_TOKEN)), [
    'Patient/a',
    'Patient/b',
    'Patient/c',
  ])
  assert.equal((await exported(base, '$export', bearer(TOKEN))).length, 64)
  const discovery = await (await fetch(`${base}/.well-known/smart-configuration`)).json()
  assert.equal(discovery.token_endpoint, 'https://auth.example.org/token')
})
