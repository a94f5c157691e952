import { elementExists, elementWith, type Filter, noneOf } from './element-filter.js'
import { invalid } from './refusal.js'
import { splitEscaped, unescaped } from './search-argument.js'
import type { Step, Target } from './search-target.js'

/** `system|code`: no system asked for is `undefined`, "without a system" is `''`; so is no code. */
interface Token {
  readonly system: string | undefined
  readonly code: string | undefined
}

/**
 * What a token parameter matches in one element: `code`, `system|code`, `|code` (no system) or `system|`
 * (any code of the system). Primitive elements have no system of their own, so theirs is taken as given.
 */
export function matchToken(target: Target, value: string): Filter {
  const { steps, kind } = target
  const token = readToken(value)
  switch (kind) {
    case 'CodeableConcept':
      return coded([...steps, { name: 'coding', isArray: true }], token, 'code')
    case 'Coding':
      return coded(steps, token, 'code')
    case 'Identifier':
    case 'ContactPoint':
      return coded(steps, token, 'value')
    case 'boolean':
      return matchBoolean(target, token.code)
    default:
      return matchPrimitive(steps, token.code)
  }
}

function readToken(value: string): Token {
  const parts = splitEscaped(value, '|').map(unescaped)
  const [first = '', second] = parts
  if (parts.length > 2)
    throw invalid(`"${value}" is not a token; expected code, system|code, |code or system|.`)
  if (second === undefined) return { system: undefined, code: first }
  if (first === '' && second === '') throw invalid(`"${value}" names neither a system nor a code.`)
  return { system: first, code: second === '' ? undefined : second }
}

function coded(steps: readonly Step[], { system, code }: Token, field: string): Filter {
  return elementWith(steps, {
    ...(system !== undefined && { system: system === '' ? { $exists: false } : system }),
    ...(code !== undefined && { [field]: code }),
  })
}

function matchPrimitive(steps: readonly Step[], code: string | undefined): Filter {
  if (code === undefined) return elementExists(steps)
  if (code !== 'true' && code !== 'false') return elementWith(steps, { '': code })
  return elementWith(steps, { '': { $in: [code, code === 'true'] } })
}

function matchBoolean({ steps, otherForms }: Target, code: string | undefined): Filter {
  if (code !== 'true' && code !== 'false') throw invalid(`"${code ?? ''}" is neither true nor false.`)
  const isTrue = elementWith(steps, { '': true })
  if (otherForms === undefined) return code === 'true' ? isTrue : elementWith(steps, { '': false })
  const isTrueInAnyForm = [isTrue, ...otherForms.map(elementExists)]
  return code === 'true' ? { $or: isTrueInAnyForm } : noneOf(isTrueInAnyForm)
}
