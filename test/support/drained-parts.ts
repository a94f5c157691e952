import type { PatientBatches, ScanControl, ScanOrder, ScanRunner } from '../../plugin/jobs/scan-order.js'

/** What a part came to. */
export interface DrainedPart {
  /** Absent when it has no lines. */
  readonly text?: string
  readonly size: { readonly resources: number; readonly bytes: number }
  readonly problems: readonly object[]
  readonly position: object & { readonly scanned?: string; readonly patient?: string }
}

interface Asked {
  readonly batches?: PatientBatches | undefined
  readonly control?: Partial<ScanControl>
}

/** The parts of a scan, each drained. */
export async function* drainedParts(
  runner: ScanRunner,
  order: ScanOrder,
  { batches, control }: Asked = {},
): AsyncGenerator<DrainedPart> {
  const told = { signal: new AbortController().signal, isEnough: () => false, ...control }
  for await (const part of runner.parts(order, batches, told)) {
    const chunks: Buffer[] = []
    // A chunk is the runner's again once the next one is asked for.
    for await (const chunk of part.lines ?? []) chunks.push(Buffer.from(chunk))
    yield {
      ...(part.lines === undefined ? {} : { text: Buffer.concat(chunks).toString() }),
      ...{ size: { ...part.size }, problems: [...part.problems], position: part.position },
    }
  }
}

/** All parts of a scan. */
export async function allParts(
  runner: ScanRunner,
  order: ScanOrder,
  asked: Asked = {},
): Promise<readonly DrainedPart[]> {
  const parts: DrainedPart[] = []
  for await (const part of drainedParts(runner, order, asked)) parts.push(part)
  return parts
}

/** The lines of parts. */
export function linesIn(parts: readonly DrainedPart[]): readonly string[] {
  return parts.flatMap(({ text = '' }) => text.split('\n').slice(0, -1))
}

/** Patients, so many at a time. */
export async function* batchesOf(
  patients: readonly string[],
  size: number,
): AsyncGenerator<readonly string[]> {
  for (let at = 0; at < patients.length; at += size) yield patients.slice(at, at + size)
}
