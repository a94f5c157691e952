import { Command, InvalidArgumentError } from 'commander'
import { createLogger } from '../config/logger.js'
import { type Figure, type Findings, figureText } from './bench/figure.js'
import { FIGURES } from './bench/figures/index.js'
import { Lab } from './bench/lab.js'
import { machineText, thisMachine } from './bench/machine.js'
import { runProgram } from './host/program.js'
import { shutdownRequested } from './host/shutdown.js'

const names = FIGURES.map(({ name }) => name)
const flags = new Command('bench')
  .description('Measure what exports cost, on a real MongoDB, with files on local disk.')
  .option('-o, --only <names>', 'figures to measure, comma-separated; default: all', figures)
  .option(
    '-r, --resources <list>',
    'sizes of the figure `export`, comma-separated',
    sizes,
    [200_000, 400_000],
  )
  .option('-n, --rounds <n>', 'how often what is compared is measured', wholeNumber, 5)
  .option('-s, --scale <factor>', 'multiplies all sizes, for a quick look: 0.1', factor, 1)
  .option('--json', 'print JSON instead of tables', false)
  .addHelpText('after', `\nFigures:\n${FIGURES.map(({ name, means }) => `  ${name}: ${means}`).join('\n')}`)
  .parse()
  .opts<{
    only?: readonly Figure[]
    resources: readonly number[]
    rounds: number
    scale: number
    json: boolean
  }>()

const started = performance.now()

await runProgram(async (settings) => {
  const interrupted = new AbortController()
  void shutdownRequested(createLogger({ logLevel: 'warn' })).then((signal) => {
    interrupted.abort(new Error(`Ended by ${signal}.`))
  })
  const { signal } = interrupted
  const { rounds, scale, resources } = flags
  const lab = await Lab.open({ settings, rounds, scale, sizes: resources, signal, say })
  try {
    // What is under way may take its time to notice.
    await Promise.race([measureAll(lab), aborted(signal)])
  } finally {
    await lab.close()
  }
})

/** @throws Error that names the figures that could not be measured, after all others have been */
async function measureAll(lab: Lab): Promise<void> {
  const { version, source } = lab.mongodb
  const machine = thisMachine(`${version} from ${source}`)
  if (!flags.json) print(`${machineText(machine)}${scaleText()}`)
  const found = new Map<string, Findings>()
  const failures = new Map<string, string>()
  for (const figure of flags.only ?? FIGURES) {
    try {
      const findings = await figure.measure(lab)
      found.set(figure.name, findings)
      if (!flags.json) print(figureText(figure, findings))
    } catch (error) {
      lab.signal.throwIfAborted()
      const text = error instanceof Error ? error.message : String(error)
      failures.set(figure.name, text)
      say(`${figure.name} FAILED: ${text}`)
      // Those of a figure that broke off would disturb the next one.
      await lab.closeSites()
    }
  }
  if (flags.json) print(JSON.stringify({ machine, ...report(found), failures: Object.fromEntries(failures) }))
  else print(`${((performance.now() - started) / 60_000).toFixed(1)} minutes${scaleText()}`)
  if (failures.size === 0) return
  throw new Error(`Without figures: ${[...failures].map(([name, text]) => `${name} (${text})`).join(', ')}`)
}

function report(found: ReadonlyMap<string, Findings>): object {
  const plain = [...found].map(([name, { headlines, rows }]) => [name, { headlines, rows }] as const)
  return { scale: flags.scale, rounds: flags.rounds, figures: Object.fromEntries(plain) }
}

function scaleText(): string {
  return flags.scale === 1 ? '' : `; SCALED: sizes are ${flags.scale} times those of the names and targets`
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function say(text: string): void {
  const seconds = ((performance.now() - started) / 1000).toFixed(0).padStart(5)
  process.stderr.write(`${seconds} s  ${text}\n`)
}

function figures(text: string): readonly Figure[] {
  return text.split(',').map((name) => {
    const figure = FIGURES.find((each) => each.name === name.trim())
    if (figure === undefined) throw new InvalidArgumentError(`There are ${names.join(', ')}.`)
    return figure
  })
}

function sizes(text: string): readonly number[] {
  return text.split(',').map(wholeNumber)
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It must be a positive whole number, or a list of them.')
}

function factor(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= 10) return number
  throw new InvalidArgumentError('It must be a number above 0, at most 10.')
}
