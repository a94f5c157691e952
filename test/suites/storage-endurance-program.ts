import { createHash } from 'node:crypto'
import type { ExportStorage } from '../../plugin/storage/export-storage.js'
import { digestOf, generatedBytes } from './generated-bytes.js'
import type { Answer, Measurement, Order, StorageRecipe } from './storage-endurance-process.js'

// The other process of the endurance suite: opens a storage by its recipe and does as it is told, once.

process.once('disconnect', () => process.exit(1))
process.once('message', (order: Order) => {
  obey(order).then(answer, (error: unknown) => answer({ error: String(error) }))
})

async function obey({ recipe, task, key, bytes }: Order): Promise<Answer> {
  const storage = await openStorage(recipe)
  return task === 'measure' ? measure(storage, key, bytes) : upload(storage, key, bytes)
}

async function openStorage({ module, factory, argument }: StorageRecipe): Promise<ExportStorage> {
  const make: unknown = (await import(module))[factory]
  if (typeof make !== 'function') throw new Error(`${module} exports no function ${factory}.`)
  return make(argument)
}

async function measure(storage: ExportStorage, key: string, bytes: number): Promise<Measurement> {
  // What is loaded or opened at the first use only is no memory that a large file needs.
  await storage.write(`${key}.first`, pieces(Buffer.from('x')))
  await digestOf(await storage.read(`${key}.first`))
  const before = process.memoryUsage.rss()
  let peak = before
  const look = () => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  const hash = createHash('sha256')
  async function* source() {
    for (const piece of generatedBytes(bytes)) {
      look()
      hash.update(piece)
      yield piece
    }
  }
  await storage.write(key, source())
  const found = await digestOf(await storage.read(key), look)
  return { before, peak, written: hash.digest('hex'), found }
}

/** Resolves in the middle of a write, which goes on for as long as the process lives. */
function upload(storage: ExportStorage, key: string, bytes: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    async function* endless() {
      yield* generatedBytes(bytes)
      resolve({ done: true })
      for (;;) yield* generatedBytes(bytes)
    }
    storage.write(key, endless()).then(() => reject(new Error('an endless write has an end')), reject)
  })
}

async function* pieces(...given: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* given
}

function answer(value: Answer): void {
  process.send?.(value)
}
