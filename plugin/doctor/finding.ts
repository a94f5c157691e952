import type { ResourceType } from '../fhir/resource.js'
import type { Reading } from '../jobs/reading-way.js'

/** How bad a finding is, from best to worst. */
export const LEVELS = ['ok', 'notice', 'warning', 'error'] as const

/**
 * `ok`: as it should be. `notice`: good to know. `warning`: exports are right, but slower, larger or less safe than
 * they could be, or something could not be seen. `error`: exports fail, or would lack or repeat resources.
 */
export type Level = (typeof LEVELS)[number]

/** What a finding is about. */
export type Area = 'configuration' | 'database' | 'work' | 'storage' | 'reading' | 'indexes'

/** What a check has seen, in words that are the same wherever it sees the same. */
export type Remark = Good | Trouble

interface Good {
  readonly level: 'ok'
  readonly what: string
  /** Numbers and names that belong to this one place; never ids or values of resources. */
  readonly detail?: string
}

interface Trouble {
  readonly level: Exclude<Level, 'ok'>
  readonly what: string
  readonly detail?: string
  /** What it does to exports, clients or the operator. */
  readonly cost: string
  /** What to do about it. */
  readonly remedy: string
  /** Commands for `mongosh` that do it; absent: there are none. */
  readonly commands?: readonly string[]
}

/** A remark and where it belongs. */
export type Finding = Remark & {
  readonly area: Area
  /** Which check has made it, such as `paging`; the names stay the same from version to version. */
  readonly check: string
  /** Absent for what concerns the whole host. */
  readonly type?: ResourceType
  /** The FHIR version as the core writes it, such as `4_0_0`; goes with `type`. */
  readonly version?: string
}

/** Which way exports without a `_typeFilter` read a type, and why; the words are those of the event `job.planned`. */
export interface TypeReading extends Reading {
  readonly type: ResourceType
  /** The FHIR version as the core writes it. */
  readonly version: string
}

/** What a doctor has found. */
export interface Diagnosis {
  /** The worst level among the findings. */
  readonly level: Level
  /** `false` when not all types were looked at, for lack of time or of a database; findings say so too. */
  readonly isComplete: boolean
  /** How long it took, in ms. */
  readonly ms: number
  readonly readings: readonly TypeReading[]
  readonly findings: readonly Finding[]
}

/** The worst of some levels; `ok` when there are none. */
export function worstOf(findings: readonly { readonly level: Level }[]): Level {
  return LEVELS.findLast((level) => findings.some((finding) => finding.level === level)) ?? 'ok'
}
