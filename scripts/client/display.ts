/** Shows a person how an export goes on. */
export interface Display {
  /** What the server says of it, such as `40% complete`. */
  exporting(progress: string): void
  /** How many files there are to load. */
  files(count: number): void
  /** How far a file is; `total` is not always known. */
  file(name: string, bytes: number, total: number | undefined): void
  /** A file is there and was checked; `wasThere`: since before. */
  fileDone(name: string, lines: number, bytes: number, wasThere: boolean): void
  /** Something that it takes a person to know, such as a request that is tried again. */
  note(text: string): void
  /** Gives the terminal back; nothing is shown afterwards. */
  stop(): void
}

/** Where text goes: a stream of the process. */
export interface TextStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
}

const NUMBER = new Intl.NumberFormat('en-GB')

/** Shows nothing. */
export const QUIET: Display = {
  exporting() {},
  files() {},
  file() {},
  fileDone() {},
  note() {},
  stop() {},
}

/** A line for each thing that has changed, for logs. */
export function lineDisplay(stream: TextStream): Display {
  let last = ''
  let done = 0
  let all = 0
  const say = (text: string) => stream.write(`${text}\n`)
  return {
    ...QUIET,
    exporting(progress) {
      if (progress === last || progress === '') return
      last = progress
      say(`server: ${progress}`)
    },
    files(count) {
      all = count
      say(`${NUMBER.format(count)} ${count === 1 ? 'file' : 'files'} to load`)
    },
    fileDone(name, lines, bytes, wasThere) {
      done++
      const what = wasThere ? 'was there' : 'loaded'
      say(`${what} (${done} of ${all}): ${name}, ${NUMBER.format(lines)} lines, ${size(bytes)}`)
    },
    note: (text) => say(`note: ${text}`),
  }
}

/** A number of bytes for a person. */
export function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1)
  const number = bytes / 1000 ** power
  return `${power === 0 ? number : number.toFixed(1)} ${units[power]}`
}
