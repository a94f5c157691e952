/** Something that must not be, with what is known about it. */
export interface Finding {
  readonly what: string
  readonly details?: unknown
}

/** What a run has found wrong; grows while it goes on. */
export class Findings {
  readonly all: Finding[] = []

  /** @param say tells of each at once, since the rest of the run may take long */
  constructor(private readonly say: (text: string) => void) {}

  add(what: string, details?: unknown): void {
    this.all.push(details === undefined ? { what } : { what, details })
    this.say(`FINDING: ${what}`)
  }

  /** One block for each, in the order in which they came. */
  report(): string {
    return this.all
      .map(({ what, details }, index) => {
        const rest = details === undefined ? '' : `\n   ${JSON.stringify(details)}`
        return `${index + 1}. ${what}${rest}`
      })
      .join('\n')
  }
}
