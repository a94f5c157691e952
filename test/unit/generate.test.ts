import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { population } from '../../scripts/population/index.js'
import { clearFolder, ndjsonFiles, writeFolder } from '../../scripts/population/ndjson-folder.js'

describe('generate', () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'generate-'))
  })

  afterEach(() => rm(folder, { recursive: true, force: true }))

  describe('the folder', () => {
    for (const gzip of [false, true]) {
      it(`gives back what was written${gzip ? ' with gzip' : ''}, to the letter and in order`, async () => {
        const counts = await writeFolder(folder, population({ patients: 120 }), { gzip })
        const files = await contents(folder)
        const expected = new Map<string, object[]>()
        for (const resource of population({ patients: 120 })) {
          const name = `${resource.resourceType}.ndjson${gzip ? '.gz' : ''}`
          expected.set(name, [...(expected.get(name) ?? []), resource])
        }
        expect([...files.keys()]).to.deep.equal([...expected.keys()].sort())
        for (const [name, resources] of expected) {
          const lines = files.get(name)?.text.split('\n') ?? []
          expect(lines.pop(), `the end of ${name}`).to.equal('')
          expect(lines.map((line) => JSON.parse(line))).to.deep.equal(resources)
          const bytes = files.get(name)?.bytes
          expect(counts).to.deep.include({ name, resources: resources.length, bytes })
        }
      })
    }

    it('keeps hard texts whole', async () => {
      const name = '\u2028 \u2029 \ufeff "\\" \n\r\t {"a":1}\\n 👩‍👩‍👧 𠮷 e\u0301 \u200f'
      await writeFolder(folder, [{ resourceType: 'Group', type: 'person', actual: true, name }])
      const text = await readFile(join(folder, 'Group.ndjson'), 'utf8')
      expect(text.split('\n')).to.have.length(2)
      expect(JSON.parse(text).name).to.equal(name)
    })

    it('reports a file that cannot be written, and does not wait for ever', async () => {
      const place = join(folder, 'file')
      await writeFile(place, '')
      const failure = await writeFolder(join(place, 'inside'), population({ patients: 1 })).catch(
        (error) => error,
      )
      expect(failure).to.have.property('code', 'ENOTDIR')
    })

    for (const gzip of [false, true]) {
      it(`reports a file that fails while it is written${gzip ? ' with gzip' : ''}`, async () => {
        const folderInTheWay = join(folder, `Patient.ndjson${gzip ? '.gz' : ''}`, 'x')
        await writeFolder(folderInTheWay, [])
        const failure = await writeFolder(folder, population({ patients: 200 }), { gzip }).catch(
          (error) => error,
        )
        expect(failure).to.have.property('code', 'EISDIR')
      })
    }

    it('clears its own files and no others', async () => {
      for (const name of ['Patient.ndjson', 'Patient.ndjson.gz', 'Other.ndjson', 'notes.txt']) {
        await writeFile(join(folder, name), 'x')
      }
      await clearFolder(folder, ['Patient', 'Group'])
      expect((await readdir(folder)).sort()).to.deep.equal(['Other.ndjson', 'notes.txt'])
      expect(await ndjsonFiles(folder)).to.deep.equal(['Other.ndjson'])
      expect(await ndjsonFiles(join(folder, 'missing'))).to.deep.equal([])
    })
  })

  describe('the program', () => {
    it('makes the folder and prints a table of what is in it', async () => {
      const target = join(folder, 'new', 'deep')
      const { code, output } = await run('--patients', '2', '--seed', 'a', target)
      expect(code).to.equal(0)
      const rows = output.split('\n').map((row) => row.split(/ +/))
      expect(rows[0]).to.deep.equal(['file', 'resources', 'bytes'])
      const { length } = await readFile(join(target, 'Patient.ndjson'))
      expect(rows).to.deep.include(['Patient.ndjson', '2', String(length)])
      const all = [...population({ patients: 2, seed: 'a' })]
      expect(rows.find(([name]) => name === 'total')?.[1]).to.equal(String(all.length))
    })

    it('refuses a folder that has such files, until it is forced', async () => {
      await writeFile(join(folder, 'Group.ndjson.gz'), 'old')
      const refused = await run('--patients', '1', folder)
      expect(refused.code).to.equal(1)
      expect(refused.errors).to.include('has NDJSON files already (Group.ndjson.gz)').and.include('--force')
      expect(await readdir(folder)).to.deep.equal(['Group.ndjson.gz'])
      const forced = await run('--patients', '1', '--force', folder)
      expect(forced.code).to.equal(0)
      expect(await readdir(folder))
        .to.include('Patient.ndjson')
        .and.not.include('Group.ndjson.gz')
    })

    it('compresses when asked', async () => {
      expect((await run('--patients', '1', '--gzip', folder)).code).to.equal(0)
      expect(await readdir(folder)).to.include('Patient.ndjson.gz')
    })

    it('says what is wrong with the command line', async () => {
      const cases = [
        ['positive whole number', '--patients', '0', 'x'],
        ['positive whole number', '--patients', '1.5', 'x'],
        ['positive whole number', '--patients', 'many', 'x'],
        ["required option '-p, --patients", 'x'],
        ["missing required argument 'dir'", '--patients', '1'],
        ['unknown option', '--patients', '1', '--nonsense', 'x'],
      ] as const
      const outcomes = await Promise.all(cases.map(([, ...words]) => run(...words)))
      for (const [index, [wrong]] of cases.entries()) {
        expect(outcomes[index]?.errors).to.include('error:').and.include(wrong)
        expect(outcomes[index]?.code).to.equal(2)
      }
    })

    it('explains itself', async () => {
      const { code, output } = await run('--help')
      expect(code).to.equal(0)
      for (const word of ['--patients', '--seed', '--gzip', '--force', 'Exit code'])
        expect(output).to.include(word)
    })
  })
})

interface Outcome {
  readonly code: number
  readonly output: string
  readonly errors: string
}

function run(...words: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const command = ['--import', 'tsx', 'scripts/generate.ts', ...words]
    const child = execFile(process.execPath, command, (_, output, errors) => {
      resolve({ code: child.exitCode ?? -1, output, errors })
    })
  })
}

async function contents(folder: string): Promise<Map<string, { text: string; bytes: number }>> {
  const files = new Map<string, { text: string; bytes: number }>()
  for (const name of (await readdir(folder)).sort()) {
    const data = await readFile(join(folder, name))
    const text = (name.endsWith('.gz') ? gunzipSync(data) : data).toString('utf8')
    files.set(name, { text, bytes: data.length })
  }
  return files
}
