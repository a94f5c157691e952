import { MultiBar, Presets } from 'cli-progress'

/** Shows how far several exports are: bars on a terminal, a line for each change elsewhere. */
export interface Progress {
  update(name: string, progress: string): void
  done(name: string): void
  stop(): void
}

export function showProgress(names: readonly string[]): Progress {
  return process.stdout.isTTY ? bars(names) : lines()
}

function bars(names: readonly string[]): Progress {
  const format = '  {name} {bar} {percentage}%  {text}'
  const multi = new MultiBar({ format, hideCursor: true, clearOnComplete: false }, Presets.shades_classic)
  const width = Math.max(...names.map((name) => name.length))
  const bar = new Map(
    names.map((name) => [name, multi.create(100, 0, { name: name.padEnd(width), text: '' })]),
  )
  return {
    update: (name, progress) => bar.get(name)?.update(percentOf(progress), { text: textOf(progress) }),
    done: (name) => bar.get(name)?.update(100, { text: 'complete' }),
    stop: () => multi.stop(),
  }
}

function lines(): Progress {
  const last = new Map<string, string>()
  const say = (name: string, progress: string) => {
    if (last.get(name) === progress) return
    last.set(name, progress)
    process.stdout.write(`  ${name}: ${progress}\n`)
  }
  return { update: say, done: (name) => say(name, '100% complete'), stop: () => undefined }
}

function percentOf(progress: string): number {
  const percent = Number.parseInt(progress, 10)
  return Number.isNaN(percent) ? 0 : percent
}

function textOf(progress: string): string {
  return progress.replace(/^\d+% complete: /, '')
}
