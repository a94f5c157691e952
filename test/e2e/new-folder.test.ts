import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { expect } from 'chai'
import { childEnvironment } from '../../config/child-environment.js'
import { bulkClient } from '../../scripts/client/bulk-client.js'
import { linesIn } from '../../scripts/host/ndjson-lines.js'
import { freePort } from '../../scripts/servers/free-port.js'
import { waitForDocument } from '../support/change-stream.js'
import { useDatabase } from '../support/mongodb.js'
import { usePackedProject } from '../support/packed-project.js'
import { snippetsOf } from '../support/snippets.js'
import { useVersitygw } from '../support/versitygw.js'

const LISTENS = 'Listening on '

/** What a reader has: a folder, the packed package, and the README, followed line by line. */
describe('a new folder and the README', () => {
  const database = useDatabase()
  const project = usePackedProject()
  const buckets = useVersitygw()
  const children: ChildProcess[] = []
  let log = ''

  afterEach('stop what was started', async () => {
    const running = children.splice(0).filter(({ exitCode, signalCode }) => exitCode === null && !signalCode)
    await Promise.all(
      running.map(async (child) => {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      }),
    )
  })

  it('become a host and a worker that export to S3', async function () {
    this.timeout(120_000)
    const patients = Array.from({ length: 300 }, (_, index) => ({ resourceType: 'Patient', id: `p${index}` }))
    await database.db.collection('Patient').insertMany(patients.map((each) => ({ ...each })))
    const folder = await project.newFolder(['test/e2e/commonjs/config.cjs', 'config.js'])
    const snippets = await snippetsOf('README.md')
    const codeOf = (name: string) => {
      const snippet = snippets.find(({ file, name: own }) => file === name || own === `README.md > ${name}`)
      if (snippet === undefined) throw new Error(`The README has no ${name}.`)
      return snippet.code
    }

    // "and `storage` instead of `storage: EXPORT_STORAGE`, in the host and in the workers"
    const storage = codeOf('Keep files in a cloud (2)')
    const withStorage = (code: string) => `${storage}\n${code.replace('storage: EXPORT_STORAGE', 'storage')}`
    await writeFile(join(folder, 'worker.js'), withStorage(codeOf('worker.js')))
    // "With `workers: 0` the host itself only answers requests": the export is the worker's.
    const host = withStorage(codeOf('server.js')).replace('{ config,', '{ workers: 0, config,')
    await writeFile(join(folder, 'server.js'), host)

    const { bucket, endpoint, region, credentials } = await buckets.newBucket()
    const { accessKeyId, secretAccessKey } = credentials as { accessKeyId: string; secretAccessKey: string }
    const port = String(await freePort())
    const environment = {
      ...{ MONGODB_URI: database.uri, EXPORT_STORAGE: `s3://${bucket}/exports`, PORT: port },
      ...{ AWS_ENDPOINT_URL_S3: String(endpoint), AWS_REGION: String(region) },
      ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    }
    const [start = '', curl = ''] = codeOf('Add it to your host (3)').trim().split('\n')
    const server = sh(start.replace(/^MONGODB_URI=\S+ /, ''), folder, environment)
    await said(server, LISTENS)
    const base = `http://127.0.0.1:${port}/4_0_0`
    // Nobody works yet, and the kick-off says so.
    const refused = sh(curl.replace(':3000', `:${port}`), folder, environment)
    await said(refused, '503')
    sh('node worker.js', folder, environment)
    await waitForDocument(database.db.collection('bulkexport.workers'), () => true)

    const client = bulkClient(base)
    const { output } = await client.waitForExport(await client.kickOff('system'))
    const ids: string[] = []
    for (const { url } of output) {
      for await (const { text } of linesIn(await client.download(url))) ids.push(JSON.parse(text).id)
    }
    expect(ids).to.have.members(patients.map(({ id }) => id))
    const { Contents = [] } = await buckets.client.send(new ListObjectsV2Command({ Bucket: bucket }))
    expect(Contents.map(({ Key }) => Key?.replace(/\/.+\//, '/…/'))).to.deep.equal([
      'exports/…/Patient-1.ndjson',
    ])
  })

  function sh(command: string, cwd: string, environment: Readonly<Record<string, string>>): ChildProcess {
    // The shell becomes the program, so that signals reach it.
    const child = spawn('/bin/sh', ['-c', `exec ${command}`], {
      ...{ cwd, env: childEnvironment(environment), stdio: ['ignore', 'pipe', 'pipe'] },
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk
    })
    children.push(child)
    return child
  }

  /** Waits until a program has written this. */
  async function said(child: ChildProcess, words: string): Promise<void> {
    let text = ''
    for await (const chunk of child.stdout ?? []) {
      text += chunk
      if (text.includes(words)) return
    }
    throw new Error(`It ended without "${words}": ${text}${log}`)
  }
})
