import { LineSum } from './line-sum.js'
import type { Finished, Site } from './site.js'

/** Lines by type, as sums that are equal when the lines are. */
export type LinesByType = ReadonlyMap<string, LineSum>

/** The lines of an export, as a client gets them. */
export async function exportedLines({ client }: Site, { manifest }: Finished): Promise<LinesByType> {
  const sums = new Map<string, LineSum>()
  for (const { type, url } of manifest.output) {
    const sum = sums.get(type) ?? new LineSum()
    await sum.add(await client.download(url))
    sums.set(type, sum)
  }
  return sums
}

/** @throws Error that names a type of which the lines are not the same, whatever their order */
export function requireEqual(
  [nameOfOne, one]: readonly [name: string, lines: LinesByType],
  [nameOfOther, other]: readonly [name: string, lines: LinesByType],
): void {
  for (const type of new Set([...one.keys(), ...other.keys()])) {
    const [ofOne, ofOther] = [String(one.get(type)), String(other.get(type))]
    if (ofOne === ofOther) continue
    throw new Error(
      `The lines of ${type} are not equal: ${ofOne} in ${nameOfOne}, ${ofOther} in ${nameOfOther}.`,
    )
  }
}
