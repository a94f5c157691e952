import { ContainerError } from './export-storage.js'
import { segmentsOf } from './key.js'

/** By the rules of Azure, which hold for the names of folders and of buckets too. */
const NAME = /^(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/
/** What a name has, as the end of a sentence. */
export const CONTAINER_RULE =
  '3 to 63 lower-case letters, digits and single hyphens, and begins and ends with a letter or digit'
const OWN = /^\d{8}t\d{6}z-[0-9a-f]{32}$/

/** To which containers exports go. */
export interface ContainerOptions {
  /** Those that clients may pick. Default: any that there are, or that the storage makes. */
  readonly names?: readonly string[]
  /**
   * Where exports go whose client picks none. Default: each of them gets a container of its own, which is named by its
   * time and its id, such as `20240501t120000z-4f…`, and is removed with it.
   */
  readonly fallback?: string
}

export function isContainerName(name: string): boolean {
  return NAME.test(name)
}

/** Whether a name is that of a container that one export has for itself. Nobody may pick those. */
export function isOwnContainer(name: string): boolean {
  return OWN.test(name)
}

/**
 * Decides by names alone to which container an export goes.
 *
 * @returns gives the name; throws `ContainerError` for one that a client may not pick
 * @throws Error for options with a name that is none
 */
export function containerChoice({ names, fallback }: ContainerOptions) {
  for (const name of [...(names ?? []), ...(fallback === undefined ? [] : [fallback])]) checkName(name, Error)
  return (picked: string | undefined, folder: string): string => {
    if (picked === undefined) return fallback ?? ownContainer(folder)
    checkName(picked, ContainerError)
    if (names !== undefined && !names.includes(picked)) throw noContainer(picked)
    return picked
  }
}

/** That clients can pick no container of this name; whether there is one is not for them. */
export function noContainer(name: string): ContainerError {
  return new ContainerError(`There is no container ${quote(name)} that exports can go to.`)
}

/** The container that an export of this folder alone has, if this is the folder of one in its own container. */
export function ownContainerOf(prefix: string): string | undefined {
  const [container = '', folder = '', ...rest] = prefix.replace(/\/$/, '').split('/')
  return rest.length === 0 && isOwnContainer(container) && ownContainer(folder) === container
    ? container
    : undefined
}

/**
 * The container of a key, or of a prefix of keys, and the key within it.
 *
 * @throws Error for one that is no key, or all of a container
 */
export function withinContainer(key: string): readonly [container: string, key: string] {
  const [container = '', ...rest] = segmentsOf(key.replace(/\/$/, ''))
  if (rest.length === 0) throw new Error(`Not a key in a container: ${key.slice(0, 200)}`)
  return [container, key.slice(container.length + 1)]
}

function ownContainer(folder: string): string {
  return folder.toLowerCase().replace('_', '-')
}

function checkName(name: string, Kind: new (message: string) => Error): void {
  if (!isContainerName(name)) {
    throw new Kind(`${quote(name)} is not the name of a container: that has ${CONTAINER_RULE}.`)
  }
  if (isOwnContainer(name)) {
    throw new Kind(`${quote(name)} cannot be picked: such names are those of containers of a single export.`)
  }
}

function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name)
}
