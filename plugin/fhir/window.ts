import { parseInstant } from './instant.js'
import type { Resource } from './resource.js'

/**
 * The stretch of `meta.lastUpdated` that an export covers: later than `since`, earlier than `before`, and up to and
 * including `until`.
 */
export interface Window {
  readonly since?: Date
  readonly before?: Date
  readonly until: Date
}

/**
 * Whether a resource was last updated within the window (Bulk Data 3.0.0, `_since`, `_until` and `transactionTime`). One
 * that carries no readable time is within every window: an export may repeat a resource, never lose one.
 */
export function isWithinWindow(resource: Resource, window: Window): boolean {
  const updated = lastUpdated(resource)
  if (updated === undefined) return true
  if (window.since !== undefined && updated <= window.since) return false
  if (window.before !== undefined && updated >= window.before) return false
  return updated <= window.until
}

/** When a resource says it was last updated; `undefined` when that cannot be read. */
export function lastUpdated(resource: Resource): Date | undefined {
  const value = resource.meta?.lastUpdated
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value
  return typeof value === 'string' ? parseInstant(value) : undefined
}
