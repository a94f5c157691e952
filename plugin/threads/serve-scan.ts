import type { MessagePort } from 'node:worker_threads'
import type { Part } from '../jobs/output.js'
import type { ScanOrder } from '../jobs/scan-order.js'
import { chunkBuffer, scanIntoParts } from '../jobs/scan-parts.js'
import type { ScannedDatabase } from '../search/open-scan.js'
import { linesOf } from './lines-of.js'
import { type FromThread, MOST_AHEAD, type ToThread } from './scan-messages.js'
import { sentError } from './sent-error.js'

/** How often it is said that something was read, in ms. */
const SAY_EVERY = 250

/** Carries out an order for another thread, until it is done or the port is closed. Never rejects. */
export async function serveScan(
  order: ScanOrder,
  port: MessagePort,
  database: ScannedDatabase,
): Promise<void> {
  const scan = new ServedScan(order, port, database)
  try {
    await scan.run()
    port.postMessage({ kind: 'done' } satisfies FromThread)
  } catch (error) {
    port.postMessage({ kind: 'failed', error: sentError(error) } satisfies FromThread)
  }
  // What was posted still arrives.
  port.close()
}

class ServedScan {
  readonly #ended = new AbortController()
  readonly #into = chunkBuffer()
  /** How much may still be sent ahead, and who waits for more. */
  #ahead = MOST_AHEAD
  #goOn: (() => void) | undefined
  #part = 0
  #enough: number | undefined
  #lastSaid = performance.now()
  #takePatients: ((patients: readonly string[] | undefined) => void) | undefined

  constructor(
    private readonly order: ScanOrder,
    private readonly port: MessagePort,
    private readonly database: ScannedDatabase,
  ) {}

  async run(): Promise<void> {
    const { order, port } = this
    const { signal } = this.#ended
    const lines = linesOf(order, order.range === undefined ? this.#batches() : undefined, this.database)
    port.on('message', (message: ToThread) => this.#hear(message))
    port.once('close', () => {
      this.#ended.abort(new Error('Nobody waits for this scan any more.'))
      this.#goOn?.()
      this.#takePatients?.(undefined)
      // A query that has not answered yet is ended on the server, too.
      lines.close().catch(() => undefined)
    })
    const control = { signal, isEnough: () => this.#isEnough() }
    for await (const part of scanIntoParts(order, lines, control, { into: this.#into })) {
      await this.#send(part)
      this.#part += 1
    }
  }

  /** What a part has is final only when its lines have been drained. */
  async #send(part: Part): Promise<void> {
    if (part.lines !== undefined) {
      this.#say({ kind: 'part' })
      for await (const bytes of part.lines) {
        await this.#room()
        this.#say({ kind: 'chunk', bytes, size: part.size }, [bytes.buffer as ArrayBuffer])
      }
    }
    await this.#room()
    const { size, problems, position } = part
    this.#say({ kind: 'end', size, problems, position })
  }

  #say(message: FromThread, transferred: ArrayBuffer[] = []): void {
    this.#lastSaid = performance.now()
    this.port.postMessage(message, transferred)
  }

  /** Waits until the other thread is not too far behind. */
  async #room(): Promise<void> {
    while (this.#ahead === 0 && !this.#ended.signal.aborted) {
      await new Promise<void>((goOn) => {
        this.#goOn = goOn
      })
    }
    this.#ended.signal.throwIfAborted()
    this.#ahead -= 1
  }

  #isEnough(): boolean {
    if (performance.now() - this.#lastSaid >= SAY_EVERY) this.#say({ kind: 'moved' })
    return this.#enough === this.#part
  }

  async *#batches(): AsyncGenerator<readonly string[]> {
    for (;;) {
      const patients = await new Promise<readonly string[] | undefined>((take) => {
        this.#takePatients = take
        this.#say({ kind: 'wanted' })
      })
      if (patients === undefined) return
      yield patients
    }
  }

  #hear(message: ToThread): void {
    switch (message.kind) {
      case 'taken':
        if (message.bytes !== undefined) this.#into.recycle(message.bytes)
        this.#ahead += 1
        this.#goOn?.()
        break
      case 'enough':
        this.#enough = message.part
        break
      case 'patients':
        this.#takePatients?.(message.patients)
        break
    }
  }
}
