import { z } from 'zod'

const text = z.string().optional().catch(undefined)

const outcomeSchema = z.object({
  resourceType: z.literal('OperationOutcome'),
  issue: z.array(
    z.object({
      severity: text,
      code: text,
      diagnostics: text,
      details: z.object({ text }).optional().catch(undefined),
    }),
  ),
})

/** One thing that a server has to say. */
export interface ServerIssue {
  /** `fatal`, `error`, `warning` or `information`. */
  readonly severity: string
  readonly code: string
  /** For a person; the code when the server has no words for it. */
  readonly text: string
}

/** The longest text of a server that is repeated, in characters. */
const LONGEST = 500

/** The issues of an OperationOutcome that was parsed already; `undefined` for anything else. */
export function issuesOf(outcome: unknown): readonly ServerIssue[] | undefined {
  const { data } = outcomeSchema.safeParse(outcome)
  return data?.issue.map(({ severity = 'error', code = 'unknown', diagnostics, details }) => {
    return { severity: readable(severity), code, text: readable(diagnostics ?? details?.text ?? code) }
  })
}

/** The issues in the body of an answer, none when it is no OperationOutcome. */
export function issuesIn(body: string): readonly ServerIssue[] {
  try {
    return issuesOf(JSON.parse(body)) ?? []
  } catch {
    return []
  }
}

/** What the body of a refusal says to a person; the beginning of it when it is no OperationOutcome. */
export function explanation(body: string): string {
  const issues = issuesIn(body)
  if (issues.length > 0) return issues.map(({ text }) => text).join(' ')
  return readable(body.replace(/<[^>]*>/g, ' ')).slice(0, 200)
}

/** Words of a server for a terminal: without control characters, and not without end. */
export function readable(words: string): string {
  const clean = words.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim()
  return clean.length > LONGEST ? `${clean.slice(0, LONGEST)}…` : clean
}
