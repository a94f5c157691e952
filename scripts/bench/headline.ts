/** One number that says it all, with what it should be. */
export interface Headline {
  readonly what: string
  readonly value: number
  /** The value with its unit. */
  readonly text: string
  readonly target?: string
  /** Absent without a target. */
  readonly isMet?: boolean
}

type Show = (value: number) => string

/** A number without a target. */
export function plain(what: string, value: number, show: Show = ratioText): Headline {
  return { what, value, text: show(value) }
}

export function atLeast(what: string, value: number, limit: number, show: Show = ratioText): Headline {
  return { ...plain(what, value, show), target: `≥ ${show(limit)}`, isMet: value >= limit }
}

export function atMost(what: string, value: number, limit: number, show: Show = ratioText): Headline {
  return { ...plain(what, value, show), target: `≤ ${show(limit)}`, isMet: value <= limit }
}

function ratioText(value: number): string {
  return value.toFixed(2)
}
