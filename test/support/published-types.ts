import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** An element as a published definition has it. */
export interface PublishedElement {
  readonly name: string
  /** Such as `Reference`, or the name of the interface of a part. */
  readonly type: string
  readonly isMandatory: boolean
}

/** Interfaces by name, with their elements by name. */
export type PublishedTypes = ReadonlyMap<string, ReadonlyMap<string, PublishedElement>>

const require = createRequire(import.meta.url)

/** The definitions of a release in the package `@types/fhir`, which is made from the published ones. */
export function publishedTypes(release: 'r2' | 'r3' | 'r4'): PublishedTypes {
  const folder = require.resolve('@types/fhir/package.json').replace(/package\.json$/, '')
  const types = new Map<string, Map<string, PublishedElement>>()
  let current = new Map<string, PublishedElement>()
  for (const line of readFileSync(`${folder}${release}.d.ts`, 'utf8').split('\n')) {
    const [, opened] = /^export interface (\w+)/.exec(line) ?? []
    if (opened !== undefined) {
      current = new Map()
      types.set(opened, current)
    }
    const [, name, optional, type] = /^ {2}(?:readonly )?(\w+)(\??): \(?'?(\w+)/.exec(line) ?? []
    if (name === undefined || type === undefined || name.startsWith('_')) continue
    current.set(name, { name, type, isMandatory: optional === '' })
  }
  return types
}

/** The names of the resource types. */
export function resourceTypesOf(types: PublishedTypes): readonly string[] {
  return [...types]
    .filter(([name, elements]) => elements.get('resourceType')?.type === name)
    .map(([name]) => name)
    .sort()
}

/** The type of the element at a path, or `undefined` when there is none. */
export function typeAt(types: PublishedTypes, type: string, path: readonly string[]): string | undefined {
  const [name = '', ...rest] = path
  const found = types.get(type)?.get(name)?.type
  return rest.length === 0 || found === undefined ? found : typeAt(types, found, rest)
}

/** The paths of all elements of a type that are of another one; what contains itself is gone into once. */
export function pathsTo(
  types: PublishedTypes,
  type: string,
  wanted: string,
  above: readonly string[] = [],
): readonly string[] {
  return [...(types.get(type)?.values() ?? [])].flatMap((element) => {
    if (element.type === wanted) return [element.name]
    const isPart = element.type.startsWith(type) && !above.includes(element.type)
    if (!isPart || element.type === type) return []
    return pathsTo(types, element.type, wanted, [...above, type]).map((path) => `${element.name}.${path}`)
  })
}
