import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Db, MongoClient } from 'mongodb'
import { createLogger } from '../../config/logger.js'
import type { Settings } from '../../config/settings.js'
import { beforeExit } from '../mongod/exit-guard.js'
import { type OpenMongoDB, openMongoDB } from '../mongod/index.js'
import { fillDatabase, fillWith } from './fill-database.js'
import { members } from './members.js'
import { Site, type SiteOptions } from './site.js'

/** A filled database. */
export interface DataSet {
  readonly db: Db
  readonly resources: number
}

/** The Group that a data set of members has. */
export const EVERY_MEMBER = 'bench-members'

export interface LabOptions {
  readonly settings: Settings
  /** What all sizes are multiplied by. */
  readonly scale: number
  /** How often what is compared is measured. */
  readonly rounds: number
  /** The sizes of the figures that have no size of their own. */
  readonly sizes: readonly number[]
  /** Ends all that is under way. */
  readonly signal: AbortSignal
  /** Told what is being done. */
  say(text: string): void
}

/** What figures are measured with: a MongoDB, databases that are filled once, servers, and a folder. */
export class Lab {
  readonly #dataSets = new Map<string, Promise<DataSet>>()
  readonly #measured = new Map<string, Promise<unknown>>()
  readonly #sites = new Set<Site>()

  private constructor(
    private readonly options: LabOptions,
    readonly mongodb: OpenMongoDB,
    private readonly mongo: MongoClient,
    /** For whatever a figure writes; gone with the lab. */
    readonly folder: string,
    private readonly release: () => void,
  ) {}

  static async open(options: LabOptions): Promise<Lab> {
    const { settings, signal } = options
    const logger = createLogger({ ...settings, logLevel: 'warn' })
    const mongodb = await openMongoDB({ settings, logger, signal })
    try {
      const mongo = await MongoClient.connect(mongodb.uri)
      const folder = await mkdtemp(join(tmpdir(), 'bulk-export-bench-'))
      const release = beforeExit(() => rmSync(folder, { recursive: true, force: true }))
      return new Lab(options, mongodb, mongo, folder, release)
    } catch (error) {
      await mongodb.stop()
      throw error
    }
  }

  get rounds(): number {
    return this.options.rounds
  }

  get sizes(): readonly number[] {
    return this.options.sizes.map((size) => this.scaled(size))
  }

  get signal(): AbortSignal {
    return this.options.signal
  }

  /** Tasks at the same time in each worker process, unless a figure says otherwise. */
  get exportWorkers(): number {
    return this.options.settings.exportWorkers
  }

  scaled(size: number): number {
    return Math.max(100, Math.round(size * this.options.scale))
  }

  say(text: string): void {
    this.options.say(text)
  }

  /** A database with so many generated resources. */
  population(resources: number): Promise<DataSet> {
    return this.#dataSet(String(resources), resources, (uri, database) =>
      fillDatabase(uri, database, resources, this.signal),
    )
  }

  /** A database of so many patients, each with a Coverage, and a Group of all of them. */
  members(count: number): Promise<DataSet> {
    return this.#dataSet(`${count}_members`, 2 * count + 1, (uri, database) =>
      fillWith(uri, database, members(count, EVERY_MEMBER), this.signal),
    )
  }

  /** What several figures are made of is measured once. */
  once<T>(name: string, measure: () => Promise<T>): Promise<T> {
    const measured = this.#measured.get(name) ?? measure()
    this.#measured.set(name, measured)
    return measured as Promise<T>
  }

  /** A server on a data set; it is closed with the lab if not before. */
  async site({ db }: DataSet, options: SiteOptions = {}): Promise<Site> {
    this.signal.throwIfAborted()
    const storage = await mkdtemp(join(this.folder, 'exports-'))
    const environment = {
      ...{ MONGODB_URI: this.mongodb.uri, MONGODB_DB: db.databaseName, BASE_URL: '' },
      EXPORT_STORAGE: pathToFileURL(storage).href,
      EXPORT_READ: options.read ?? 'scan',
    }
    const site = await Site.open({ ...options, environment, db, signal: this.signal })
    this.#sites.add(site)
    return site
  }

  /** Ends the processes of all servers. */
  async closeSites(): Promise<void> {
    const sites = [...this.#sites]
    this.#sites.clear()
    await Promise.all(sites.map((site) => site.close()))
  }

  /** Ends all processes and removes what was made. */
  async close(): Promise<void> {
    const sites = await Promise.allSettled([this.closeSites()])
    // A server that was started here goes with its data.
    const isGuest = this.mongodb.source === 'MONGODB_URI'
    const filled = isGuest ? await Promise.allSettled(this.#dataSets.values()) : []
    const dropped = await Promise.allSettled(
      filled.map(async (set) => (set.status === 'fulfilled' ? set.value.db.dropDatabase() : false)),
    )
    await this.mongo.close()
    await this.mongodb.stop()
    await rm(this.folder, { recursive: true, force: true })
    this.release()
    const failed = [...sites, ...dropped].find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  #dataSet(
    name: string,
    resources: number,
    fill: (uri: string, database: string) => Promise<void>,
  ): Promise<DataSet> {
    const make = async () => {
      this.signal.throwIfAborted()
      const db = this.mongo.db(`bulk_export_bench_${process.pid}_${name}`)
      this.say(`filling a database with ${resources.toLocaleString('en-GB')} resources`)
      try {
        await fill(this.mongodb.uri, db.databaseName)
      } catch (error) {
        await db.dropDatabase()
        throw error
      }
      return { db, resources }
    }
    const dataSet = this.#dataSets.get(name) ?? make()
    this.#dataSets.set(name, dataSet)
    return dataSet
  }
}
