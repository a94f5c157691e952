import { setImmediate } from 'node:timers/promises'
import type { SearchAdapter, SearchRequest } from '../../../plugin/search/search-adapter.js'

/** The same search, which shows what is asked and lets only through what it is told to. */
export function watched(search: SearchAdapter) {
  const asked: SearchRequest[] = []
  const waiting: (() => void)[] = []
  let isHeld = false
  let atOnce = 0
  let most = 0
  return {
    asked,
    get mostAtOnce() {
      return most
    },
    get underWay() {
      return atOnce
    },
    hold() {
      isHeld = true
    },
    /** Absent: all, and whatever comes. */
    letThrough(first?: number) {
      if (first === undefined) isHeld = false
      for (const go of waiting.splice(0, first ?? waiting.length)) go()
    },
    search: {
      async search(request) {
        asked.push(request)
        atOnce += 1
        most = Math.max(most, atOnce)
        try {
          await new Promise<void>((resolve, reject) => {
            request.signal?.addEventListener('abort', () => reject(request.signal?.reason))
            if (isHeld) waiting.push(resolve)
            else setImmediate().then(resolve, reject)
          })
          return await search.search(request)
        } finally {
          atOnce -= 1
        }
      },
    } satisfies SearchAdapter,
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > 10_000) throw new Error('It does not come about.')
    await setImmediate()
  }
}
