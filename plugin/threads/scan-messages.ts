import { BSON, type Document } from 'mongodb'
import type { Part } from '../jobs/output.js'
import type { ScanOrder } from '../jobs/scan-order.js'
import { PatientSet, type SharedPatients } from '../search/scan-patients.js'
import type { SentError } from './sent-error.js'

/** An order as it is sent to a thread. */
export interface SentOrder extends Omit<ScanOrder, 'filter' | 'members'> {
  /** As BSON: not all values in a filter survive being sent as they are. */
  readonly filter: Uint8Array
  readonly members?: SharedPatients | 'everyone'
}

/** What a thread tells of the scan that a port is for. */
export type FromThread =
  /** A part with lines begins. */
  | { readonly kind: 'part' }
  /** Bytes of it, and its size with them. */
  | ({ readonly kind: 'chunk'; readonly bytes: Uint8Array } & Pick<Part, 'size'>)
  /** The end of a part, which has lines if it has begun. */
  | ({ readonly kind: 'end' } & Pick<Part, 'size' | 'problems' | 'position'>)
  /** Something was read. */
  | { readonly kind: 'moved' }
  /** The next patients are wanted. */
  | { readonly kind: 'wanted' }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: SentError }

/** What the thread of a scan is told. */
export type ToThread =
  /** A chunk, or the end of a part, was taken; the bytes come back to be used again. */
  | { readonly kind: 'taken'; readonly bytes?: Uint8Array }
  /** The part with this number, from 0 on, may end. */
  | { readonly kind: 'enough'; readonly part: number }
  /** Absent: there are no more. */
  | { readonly kind: 'patients'; readonly patients?: readonly string[] }

/** How many chunks and ends of parts a thread may be ahead. */
export const MOST_AHEAD = 4

/** Values of a filter are as they were, whichever way the driver usually reads them. */
const AS_STORED = { promoteValues: false, bsonRegExp: true } as const

export function sentOrder({ filter, members, ...order }: ScanOrder): SentOrder {
  return {
    ...order,
    // What is `undefined` is `null` to the driver.
    filter: BSON.serialize(filter, { ignoreUndefined: false }),
    ...(members === undefined ? {} : { members: members === 'everyone' ? members : members.share() }),
  }
}

export function receivedOrder({ filter, members, ...order }: SentOrder): ScanOrder {
  return {
    ...order,
    filter: BSON.deserialize(filter, AS_STORED) as Document,
    ...(members === undefined
      ? {}
      : { members: members === 'everyone' ? members : PatientSet.from(members) }),
  }
}
