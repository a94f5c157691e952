/**
 * The smallest of the values that this share of them does not exceed (nearest rank); NaN of none.
 *
 * @param share from 0 to 1: 0.5 for the median, 0.99 for the 99th percentile
 */
export function quantile(values: readonly number[], share: number): number {
  const ascending = values.toSorted((a, b) => a - b)
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? Number.NaN
}

/** The best, the middle and the worst of times. */
export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export function spreadOf(values: readonly number[]): Spread {
  return { min: quantile(values, 0), median: quantile(values, 0.5), max: quantile(values, 1) }
}
