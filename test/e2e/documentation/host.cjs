// What the programs in this folder share: a small host on plain FHIR JSON, and an export through it. A snippet of a page is put
// in the place of the line `// <snippet>`, or is a file beside them.
const assert = require('node:assert/strict')
const { once } = require('node:events')
const { mkdtempSync } = require('node:fs')
const { join } = require('node:path')
const { setTimeout: delay } = require('node:timers/promises')
const { pathToFileURL } = require('node:url')
const { initialize } = require('@asymmetrik/node-fhir-server-core')
const express = require('express')
const { MongoClient } = require('mongodb')
const config = require('./config.js')

const mongodb = { uri: process.env.MONGODB_URI }
const storage = pathToFileURL(mkdtempSync(join(__dirname, 'exports-'))).href
const db = new MongoClient(mongodb.uri).db()

/** Starts a server with the plugin, and gives its FHIR base URL. */
async function serve(bulkExport, app = express()) {
  app.use(bulkExport.router)
  initialize(bulkExport.config, app)
  await bulkExport.start()
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}/4_0_0`
}

const kickOff = (base, path, headers = {}) => fetch(`${base}/${path}`, { headers })

/** The names of the resources of an export, such as `Patient/p1`, in order. */
async function exported(base, path, headers = {}) {
  const accepted = await kickOff(base, path, headers)
  assert.equal(accepted.status, 202, await accepted.text())
  const url = accepted.headers.get('content-location')
  let answer = await fetch(url, { headers })
  while (answer.status === 202 || answer.status === 429) {
    await delay(100)
    answer = await fetch(url, { headers })
  }
  assert.equal(answer.status, 200, `the export ended with ${answer.status}`)
  const names = []
  for (const { url: file } of (await answer.json()).output) {
    const text = await (await fetch(file, { headers })).text()
    for (const line of text.trim().split('\n')) {
      const { resourceType, id } = JSON.parse(line)
      names.push(`${resourceType}/${id}`)
    }
  }
  return names.sort()
}

/** Three patients, two of them in the group `diabetics`, with 20 observations each. */
async function fill() {
  const meta = { lastUpdated: '2024-05-01T12:00:00.000Z' }
  const ids = ['a', 'b', 'c']
  const references = (from, to) =>
    ids.slice(from, to).map((id) => ({ entity: { reference: `Patient/${id}` } }))
  await db.collection('Patient').insertMany(ids.map((id) => ({ resourceType: 'Patient', id, meta })))
  await db.collection('Group').insertOne({
    ...{ resourceType: 'Group', id: 'diabetics', meta, actual: true, member: references(0, 2) },
  })
  const observations = ids.flatMap((patient) =>
    Array.from({ length: 20 }, (_, index) => ({
      ...{ resourceType: 'Observation', id: `${patient}${index}`, meta },
      subject: { reference: `Patient/${patient}` },
    })),
  )
  await db.collection('Observation').insertMany(observations)
}

/** The names of the observations of patients. */
const observationsOf = (patients) =>
  patients.flatMap((id) => Array.from({ length: 20 }, (_, index) => `Observation/${id}${index}`)).sort()

/** Runs a program to its end, whatever it has left open. */
function play(program) {
  fill()
    .then(program)
    .then(
      () => process.exit(0),
      (error) => {
        console.error(error)
        process.exit(1)
      },
    )
}

module.exports = { config, mongodb, storage, db, express, serve, kickOff, exported, observationsOf, play }
