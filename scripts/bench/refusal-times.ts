import { Dice } from '../population/dice.js'

/** A request that is no kick-off, for one reason or several. */
interface MalformedKickOff {
  readonly path: string
  readonly body?: string
}

const LEVELS = ['$export', 'Patient/$export', 'Group/none/$export']
const FAULTS: readonly (readonly [name: string, values: readonly string[]])[] = [
  ['_outputFormat', ['application/xml', 'text/html', '', 'ndjson,ndjson']],
  ['_since', ['yesterday', '2024', '2024-02-30T00:00:00Z', '2999-01-01T00:00:00Z', '', '-1']],
  ['_until', ['now', '2024-13-01T00:00:00Z', '🕛']],
  ['_type', ['Nothing', 'patient', '*', ',', `Patient,${'X'.repeat(2000)}`, '__proto__']],
  ['_typeFilter', ['Patient', 'Patient?', 'Patient?nonsense=1', 'Nothing?status=a', 'Patient?_sort=name']],
  ['_elements', ['Patient.nothing', '.', 'Patient.name.family']],
  ['patient', ['Practitioner/1', 'Patient/', '../Patient/1']],
  ['includeAssociatedData', ['_custom', 'none']],
  ['x-unknown', ['1', '%00', 'a'.repeat(4000)]],
]
const BODIES = [
  '{',
  '[]',
  '"Parameters"',
  '{"resourceType":"Patient"}',
  '{"resourceType":"Parameters","parameter":{}}',
]

function* malformedKickOffs(count: number, dice: Dice): Generator<MalformedKickOff> {
  for (let number = 0; number < count; number++) {
    const level = dice.pick(LEVELS)
    if (dice.chance(10)) {
      yield { path: level, body: dice.pick(BODIES) }
      continue
    }
    const faults = Array.from({ length: dice.between(1, 3) }, () => dice.pick(FAULTS))
    const pairs = faults.map(([name, values]): [string, string] => [name, dice.pick(values)])
    if (!dice.chance(33)) {
      yield { path: `${level}?${new URLSearchParams(pairs)}` }
      continue
    }
    const parameter = pairs.map(([name, valueString]) => ({ name, valueString }))
    yield { path: level, body: JSON.stringify({ resourceType: 'Parameters', parameter }) }
  }
}

/**
 * How long malformed kick-offs take to be refused, in ms, ascending. The same seed makes the same requests.
 *
 * @throws Error when one is accepted, or answered with anything but a 4xx and an OperationOutcome
 */
export async function refusalTimes(
  base: string,
  count: number,
  seed = 'refusals',
): Promise<readonly number[]> {
  const times: number[] = []
  for (const { path, body } of malformedKickOffs(count + 1, new Dice(seed))) {
    const headers = { Accept: 'application/fhir+json', 'Content-Type': 'application/fhir+json' }
    const started = performance.now()
    const answer = await fetch(`${base}/${path}`, {
      headers,
      ...(body === undefined ? {} : { method: 'POST', body }),
    })
    const text = await answer.text()
    times.push(performance.now() - started)
    if (answer.status < 400 || answer.status >= 500 || !text.includes('OperationOutcome')) {
      throw new Error(`${path} was answered with ${answer.status}: ${text.slice(0, 200)}`)
    }
  }
  // The first one has opened the connection.
  return times.slice(1).sort((a, b) => a - b)
}
