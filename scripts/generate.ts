import { Command, InvalidArgumentError } from 'commander'
import { DEFAULT_SEED, population, RESOURCE_TYPES } from './population/index.js'
import { clearFolder, type FileCount, ndjsonFiles, writeFolder } from './population/ndjson-folder.js'

interface Flags {
  readonly patients: number
  readonly seed: string
  readonly gzip: boolean
  readonly force: boolean
}

const program = new Command('generate')
  .description('Write a deterministic synthetic population as NDJSON, one file per resource type.')
  .argument('<dir>', 'folder for the files; it is made if it does not exist')
  .requiredOption('-p, --patients <number>', 'how many patients; about 40 resources each', positiveInteger)
  .option('-s, --seed <text>', 'another seed makes other people; the same seed the same bytes', DEFAULT_SEED)
  .option('-z, --gzip', 'write Type.ndjson.gz', false)
  .option('-f, --force', 'replace the files of an earlier run', false)
  .addHelpText(
    'after',
    `
Example:
  npm run generate -- --patients 1000 --gzip ./population

A larger population begins with all resources of a smaller one of the same seed.
Exit code: 0 when all is written, 1 when not, 2 when the command line is wrong.`,
  )
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(generate)

program.parseAsync().catch((error: unknown) => {
  console.error(`error: ${error instanceof Error ? error.message : error}`)
  process.exitCode = 1
})

async function generate(folder: string, { patients, seed, gzip, force }: Flags): Promise<void> {
  if (force) await clearFolder(folder, RESOURCE_TYPES)
  else await refuseOldFiles(folder)
  const started = process.hrtime.bigint()
  const files = await writeFolder(folder, population({ patients, seed }), { gzip })
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  console.log(table(files))
  console.log(`\n${patients} patients, seed "${seed}", written to ${folder} in ${seconds.toFixed(1)} s`)
}

async function refuseOldFiles(folder: string): Promise<void> {
  const [found] = await ndjsonFiles(folder)
  if (found === undefined) return
  throw new Error(`${folder} has NDJSON files already (${found}). Name another folder, or add --force.`)
}

function positiveInteger(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It must be a positive whole number.')
}

function table(files: readonly FileCount[]): string {
  const total = { name: 'total', resources: 0, bytes: 0 }
  for (const { resources, bytes } of files) {
    total.resources += resources
    total.bytes += bytes
  }
  const rows = [...files, total].map(({ name, resources, bytes }) => [name, String(resources), String(bytes)])
  return [['file', 'resources', 'bytes'], ...rows]
    .map(([name = '', resources = '', bytes = '']) => {
      return `${name.padEnd(32)}${resources.padStart(12)}${bytes.padStart(16)}`
    })
    .join('\n')
}
