import type { Resource, ResourceType } from '../fhir/resource.js'

/** On whose behalf a hook of the host is called, and for how long its answer is waited for. */
export interface HookContext {
  /** The FHIR version as the core writes it, such as `4_0_0`. */
  readonly version: string
  /** `req.user` of the kick-off, as the host's authentication left it there. */
  readonly user: unknown
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** A list, or one item after the other. */
export type Items<Item> = Iterable<Item> | AsyncIterable<Item>

/**
 * Finds the patients of a Group that describes its members instead of listing them (`actual: false`, or with a
 * modifier extension that says who counts). Gives their ids; `undefined` for a Group that it does not know how
 * to read, whose export is refused then.
 */
export type GroupMembers = (
  group: Resource,
  context: HookContext,
) => Items<string> | undefined | Promise<Items<string> | undefined>

/** A resource that has been deleted and is not there again. */
export interface DeletedResource {
  readonly id: string
  readonly deletedAt: Date
  /**
   * Ids of the patients in whose compartments it was, a Patient's own id for a Patient. Exports at patient and
   * group level name only what was in one of theirs.
   */
  readonly patients: readonly string[]
}

/**
 * The resources of a type that were deleted after `since` and up to `until`. It may give more: what lies outside
 * of that time, is there again or belongs to others is left out.
 */
export type DeletedSince = (
  type: ResourceType,
  since: Date,
  until: Date,
  context: HookContext,
) => Items<DeletedResource> | Promise<Items<DeletedResource>>
