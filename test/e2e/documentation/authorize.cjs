// A key for each client; a client for whom the snippets have no rule is refused.
const assert = require('node:assert/strict')
const { config, mongodb, storage, serve, kickOff, exported, play } = require('./host.cjs')

const KEYS = { one: 'research', two: 'stranger' }
const clientOfKey = async (key) => KEYS[key]

play(async () => {
  // <snippet>

  const base = await serve(bulkExport)
  const group = 'Group/diabetics/$export?_type=Patient'
  assert.equal((await kickOff(base, group)).status, 401)
  assert.equal((await kickOff(base, group, { 'x-api-key': 'wrong' })).status, 401)
  assert.equal((await kickOff(base, group, { 'x-api-key': 'two' })).status, 403)
  assert.deepEqual(await exported(base, group, { 'x-api-key': 'one' }), ['Patient/a', 'Patient/b'])

  // What is for one client is not there for another; a page of another origin may read nothing.
  const accepted = await kickOff(base, group, { 'x-api-key': 'one', origin: 'https://elsewhere.example.org' })
  assert.equal(accepted.headers.get('access-control-allow-origin'), null)
  const theirs = await fetch(accepted.headers.get('content-location'), { headers: { 'x-api-key': 'two' } })
  assert.ok([403, 404].includes(theirs.status))
  // Only the rule for groups knows other groups, and only the rule for types knows types.
  const refused = await Promise.all(
    ['Group/others/$export', '$export?_type=Group'].map((path) =>
      kickOff(base, path, { 'x-api-key': 'one' }),
    ),
  )
  assert.ok(refused.some(({ status }) => status === 403))

  // The limits of Node, which the page names.
  const long = await kickOff(base, `$export?_type=${'x'.repeat(16 * 1024)}`, { 'x-api-key': 'one' })
  assert.equal(long.status, 431)
})
