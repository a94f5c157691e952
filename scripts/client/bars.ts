import { MultiBar, Presets, type SingleBar } from 'cli-progress'
import { type Display, size, type TextStream } from './display.js'

const WIDEST_NAME = 32

/** Bars on a terminal: the export on the server, all files, and each file that is being loaded. */
export function barDisplay(stream: TextStream): Display {
  const bars = new MultiBar(
    {
      format: '{name} {bar} {percentage}%  {text}',
      stream,
      hideCursor: true,
      clearOnComplete: false,
      // What a signal means is for the program to say.
      gracefulExit: false,
    },
    Presets.shades_classic,
  )
  const create = (name: string, total: number) =>
    bars.create(total, 0, { name: name.slice(-WIDEST_NAME).padEnd(WIDEST_NAME), text: '' })
  const loading = new Map<string, SingleBar>()
  let server: SingleBar | undefined
  let files: SingleBar | undefined
  let loaded = 0
  return {
    exporting(progress) {
      server ??= create('export', 100)
      const percent = Number.parseInt(progress, 10)
      const text = progress.replace(/^\d+\s*%\s*(complete)?:?\s*/, '')
      server.update(Number.isNaN(percent) ? server.getProgress() * 100 : Math.min(percent, 100), { text })
    },
    files(count) {
      server?.update(100, { text: 'complete' })
      files = create('files', count)
    },
    file(name, bytes, total) {
      const bar = loading.get(name) ?? create(name, total ?? 0)
      loading.set(name, bar)
      bar.setTotal(total ?? bytes * 2)
      bar.update(bytes, { text: size(bytes) })
    },
    fileDone(name, _, bytes) {
      const bar = loading.get(name)
      if (bar !== undefined) bars.remove(bar)
      loading.delete(name)
      loaded += bytes
      files?.increment(1, { text: size(loaded) })
    },
    note(text) {
      // Without a bar what is logged would be kept until there is one.
      if (bars.isActive) bars.log(`note: ${text}\n`)
      else stream.write(`note: ${text}\n`)
    },
    stop() {
      for (const bar of loading.values()) bars.remove(bar)
      loading.clear()
      bars.stop()
    },
  }
}
