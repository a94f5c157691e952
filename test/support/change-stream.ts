import type { Collection, Document, WithId } from 'mongodb'

/** Milliseconds the server holds a request without news; a stream closes only between two requests. */
const MAX_AWAIT = 100

/**
 * Resolves with the first document of `collection` that satisfies `predicate`: one that is there already, or else
 * the first one that becomes so. Nothing is missed in between, since the changes are followed from a time before
 * the look at what is there. A change is seen as the document is when it is looked up, so states that pass within
 * a few milliseconds can go unseen: wait for states that last.
 * @throws Error after `timeoutMs` milliseconds, with the document that was looked at last
 */
export async function waitForDocument<T extends Document>(
  collection: Collection<T>,
  predicate: (document: WithId<T>) => boolean,
  { timeoutMs = 10_000 }: { readonly timeoutMs?: number } = {},
): Promise<WithId<T>> {
  const seen = new Seen(predicate)
  const { operationTime } = await collection.db.command({ ping: 1 })
  const changes = collection.watch<T>(
    [{ $match: { operationType: { $in: ['insert', 'update', 'replace'] } } }],
    { fullDocument: 'updateLookup', startAtOperationTime: operationTime, maxAwaitTimeMS: MAX_AWAIT },
  )
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    void changes.close()
  }, timeoutMs)
  try {
    for await (const document of collection.find()) {
      if (seen.satisfies(document)) return document
    }
    for await (const change of changes) {
      const document = 'fullDocument' in change ? (change.fullDocument as WithId<T> | undefined) : undefined
      if (document && seen.satisfies(document)) return document
    }
  } catch (error) {
    if (!timedOut) throw error
  } finally {
    clearTimeout(timer)
    await changes.close()
  }
  throw new Error(`${collection.namespace}: ${seen.report()} within ${timeoutMs} ms`)
}

class Seen<T> {
  private count = 0
  private last: T | undefined

  constructor(private readonly predicate: (document: T) => boolean) {}

  satisfies(document: T): boolean {
    this.count += 1
    this.last = document
    return this.predicate(document)
  }

  report(): string {
    if (this.last === undefined) return 'no document appeared'
    return `none of ${this.count} document states was the one waited for; the last was ${JSON.stringify(this.last)}`
  }
}
