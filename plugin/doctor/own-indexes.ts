import type { HostCheck } from './host-check.js'
import { createIndexCommand, hasIndex, type IndexKey, indexesOf } from './index-list.js'

/** The collection of the queue, and the index that Agenda makes when it starts. */
const BELLS = {
  name: 'bulkexport.bells',
  keys: [{ name: 1, nextRunAt: 1, priority: -1, lockedAt: 1, disabled: 1 }] as readonly IndexKey[],
}

/** The indexes on the plugin's own collections, those of Agenda among them. */
export const ownIndexes: HostCheck = {
  name: 'own-indexes',
  area: 'indexes',
  async run({ database }) {
    if (database === undefined) return []
    const { db, models } = database
    const own = Object.values(models).map(({ schema, collection }) => ({
      name: collection.collectionName,
      keys: (schema.indexes() as [IndexKey, unknown][]).map(([key]) => key),
    }))
    const found = await Promise.all(
      [...own, BELLS].map(async ({ name, keys }) => ({ name, keys, indexes: await indexesOf(db, name) })),
    )
    if (found.every(({ indexes }) => indexes === undefined)) return [NOT_STARTED]
    const missing = found.flatMap(({ name, keys, indexes = [] }) =>
      keys.filter((key) => !hasIndex(indexes, key)).map((key) => ({ name, key })),
    )
    if (missing.length === 0)
      return [{ level: 'ok', what: 'All indexes of exports and their queue are there.' }]
    return missing.map(({ name, key }) => ({
      level: 'warning',
      what: 'An index of exports or their queue is not there.',
      detail: `${name} ${JSON.stringify(key)}`,
      cost: 'Kick-offs and workers get slower with the number of exports.',
      remedy:
        'Restart a process of the server: start() makes it. If it does not, look at the rights of its user.',
      commands: [createIndexCommand(name, key)],
    }))
  },
}

const NOT_STARTED = {
  level: 'notice',
  what: 'Exports were never started on this database.',
  cost: 'None: start() makes the collections and their indexes.',
  remedy: 'Look whether mongodb.uri and mongodb.database are those of the server, if it has run before.',
} as const
