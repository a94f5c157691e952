import type { MongodBinary } from './binary.js'

/** One of the ways to get a `mongod`. */
export interface MongodSource {
  /** Short name, for logs and callers: `PATH`, `download`, … */
  readonly name: string
  /** In words, for people. */
  readonly title: string
  /** What it means when there is nothing; by default that there is none. */
  readonly absence?: string
  /**
   * The `mongod` this source already has on the machine; never touches the network.
   * `undefined`: nothing there, not worth a word. Rejects when there is one, or should be, but it is of no use.
   */
  present(signal?: AbortSignal): Promise<MongodBinary | undefined>
  /** Brings a `mongod` to the machine, where `present` finds it next time. Rejects when that cannot be done. */
  fetch?(signal?: AbortSignal): Promise<MongodBinary>
}
