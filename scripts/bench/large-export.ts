import { resourcesIn, type Site } from './site.js'

/** How long it has worked before it counts as under way, in ms: longer than planning, and than the turn of a task. */
const UNDER_WAY = 3000

/** A system export that others have to share a server with. */
export class LargeExport {
  private constructor(
    private readonly site: Site,
    private readonly statusUrl: string,
    private readonly expected: number,
  ) {}

  /** Kicks it off, and waits until it is under way. */
  static async begin(site: Site, expected: number): Promise<LargeExport> {
    const statusUrl = await site.client.kickOff('system')
    await site.pause(UNDER_WAY)
    return new LargeExport(site, statusUrl, expected)
  }

  async isRunning(): Promise<boolean> {
    this.site.signal.throwIfAborted()
    return (await this.site.client.status(this.statusUrl)).state === 'running'
  }

  /**
   * Waits until it is complete, and removes it.
   *
   * @throws Error when it does not have everything
   */
  async end(): Promise<void> {
    const resources = resourcesIn(await this.site.manifest(this.statusUrl))
    if (resources !== this.expected) {
      throw new Error(`${resources} of ${this.expected} resources were in the large export.`)
    }
    await this.site.client.remove(this.statusUrl)
  }
}
