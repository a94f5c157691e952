import { ExportError, type Issue } from '../errors.js'

/** More than this nobody reads. */
const MOST_ISSUES = 20

/**
 * What is wrong with a kick-off request, collected so that a client hears of all of it at once (Bulk Data 3.0.0,
 * kick-off request: what a server does not support is an error, or left out with `handling=lenient`).
 */
export class Findings {
  readonly #faults: Issue[] = []
  readonly #ignored: Issue[] = []

  constructor(readonly lenient: boolean) {}

  get hasFaults(): boolean {
    return this.#faults.length > 0
  }

  /** What was left out, for the log and for the client. */
  get ignored(): readonly Issue[] {
    return atMost(MOST_ISSUES, this.#ignored)
  }

  /** Wrong, however lenient the handling: going on could mean something else than what was asked. */
  fault(diagnostics: string, expression: string): void {
    this.#faults.push({ severity: 'error', code: 'value', diagnostics, expression })
  }

  /** Not supported here; lenient handling leaves it out. */
  unsupported(diagnostics: string, expression: string): void {
    const code = 'not-supported'
    const about = { code, diagnostics, ...(expression === '' ? {} : { expression }) } as const
    if (this.lenient) this.#ignored.push({ severity: 'warning', ...about })
    else this.#faults.push({ severity: 'error', ...about })
  }

  /** Left out in any case, because it makes no difference. */
  note(diagnostics: string, expression: string): void {
    this.#ignored.push({ severity: 'information', code: 'not-supported', diagnostics, expression })
  }

  /** @throws ExportError 400 with one issue for each fault */
  throwFaults(): void {
    if (this.hasFaults) throw new ExportError(400, atMost(MOST_ISSUES, this.#faults))
  }
}

/** A text of a client for an answer: quoted and not too long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

function atMost(count: number, issues: readonly Issue[]): readonly Issue[] {
  const [next] = issues.slice(count)
  if (next === undefined) return issues
  const diagnostics = `${issues.length - count} more of the kind.`
  return [...issues.slice(0, count), { severity: next.severity, code: next.code, diagnostics }]
}
