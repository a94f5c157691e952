import type { MessagePort } from 'node:worker_threads'
import type { Resource } from '../fhir/resource.js'
import type { Position } from '../jobs/model.js'
import type { Part } from '../jobs/output.js'
import type { PatientBatches, ScanControl } from '../jobs/scan-order.js'
import type { FromThread, ToThread } from './scan-messages.js'
import { receivedError } from './sent-error.js'

/** A scan that another thread carries out, seen from the thread that wants its parts. */
export class ThreadScan {
  readonly #arrived: FromThread[] = []
  #wake: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  #isClosed = false
  #part = 0

  /** @param ended why the thread has ended, if it has by itself */
  constructor(
    private readonly port: MessagePort,
    private readonly batches: PatientBatches | undefined,
    private readonly control: ScanControl,
    ended: () => Error | undefined,
  ) {
    port.on('message', (message: FromThread) => this.#hear(message))
    port.once('close', () => {
      const cause = ended()
      this.#fail(new Error('The thread that scans has ended.', cause === undefined ? {} : { cause }))
    })
    control.signal.addEventListener('abort', this.#abort, { once: true })
    if (control.signal.aborted) this.#abort()
  }

  async *parts(): AsyncGenerator<Part> {
    for (;;) {
      const message = await this.#next()
      if (message.kind === 'done') return
      const part = new ThreadPart()
      if (message.kind === 'end') part.end(message)
      else part.lines = this.#chunks(part)
      yield part
      if (!part.isEnded) throw new Error('The next part of a scan was asked for before this one was drained.')
      this.#part += 1
    }
  }

  /** Ends the scan in the other thread. */
  close(): void {
    this.#isClosed = true
    this.control.signal.removeEventListener('abort', this.#abort)
    this.port.close()
  }

  async *#chunks(part: ThreadPart): AsyncGenerator<Uint8Array> {
    for (;;) {
      const message = await this.#next()
      if (message.kind === 'end') {
        part.end(message)
        return
      }
      if (message.kind !== 'chunk') throw new Error(`A part of a scan came with a message "${message.kind}".`)
      const { bytes, size } = message
      Object.assign(part.size, size)
      yield bytes
      // As storages promise: whoever asks for the next chunk is done with this one.
      this.#tell({ kind: 'taken', bytes }, [bytes.buffer as ArrayBuffer])
    }
  }

  /** The next message that says something of parts. */
  async #next(): Promise<FromThread> {
    for (;;) {
      this.control.signal.throwIfAborted()
      const message = this.#arrived.shift()
      if (message?.kind === 'end') this.#tell({ kind: 'taken' })
      if (message !== undefined) return message
      if (this.#failure !== undefined) throw this.#failure.error
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
  }

  #hear(message: FromThread): void {
    if (this.control.isEnough()) this.#tell({ kind: 'enough', part: this.#part })
    if (message.kind === 'failed') this.#fail(receivedError(message.error))
    else if (message.kind === 'wanted') void this.#sendPatients()
    else if (message.kind !== 'moved') {
      this.#arrived.push(message)
      this.#wake?.()
    }
  }

  async #sendPatients(): Promise<void> {
    try {
      const next = await this.batches?.next()
      this.#tell({ kind: 'patients', ...(next === undefined || next.done ? {} : { patients: next.value }) })
    } catch (error) {
      this.#fail(error)
    }
  }

  #tell(message: ToThread, transferred: ArrayBuffer[] = []): void {
    if (!this.#isClosed) this.port.postMessage(message, transferred)
  }

  #abort = (): void => this.#fail(this.control.signal.reason)

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake?.()
  }
}

type PartEnd = Pick<Part, 'size' | 'problems' | 'position'>

class ThreadPart implements Part {
  lines?: AsyncIterable<Uint8Array>
  readonly size = { resources: 0, bytes: 0 }
  problems: readonly Resource[] = []
  isEnded = false
  #position: Position | undefined

  get position(): Position {
    if (this.#position === undefined) throw new Error('The part of a scan has not been drained.')
    return this.#position
  }

  end({ size, problems, position }: PartEnd): void {
    Object.assign(this.size, size)
    this.problems = problems
    this.#position = position
    this.isEnded = true
  }
}
