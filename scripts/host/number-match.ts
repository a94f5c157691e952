import { elementWith, type Filter } from './element-filter.js'
import { invalid } from './refusal.js'
import { splitEscaped, unescaped } from './search-argument.js'
import type { Target } from './search-target.js'

const NUMBER =
  /^(?<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?(?<sign>[+-]?)(?<whole>\d+)(?:\.(?<decimals>\d+))?(?:[eE](?<exponent>[+-]?\d{1,3}))?$/

/**
 * What a number parameter matches in one element. Without a prefix, and with `eq` and `ne`, a number stands
 * for all that are rounded to it with as many digits (`100` for 99.5 up to 100.5); with the other prefixes
 * for itself; with `ap` for what is within a tenth of it.
 */
export function matchNumber({ steps }: Target, value: string): Filter {
  return elementWith(steps, { '': numberTest(unescaped(value)) })
}

/** What a quantity parameter matches in one element: `number`, `number|system|code` or `number||code-or-unit`. */
export function matchQuantity({ steps, kind }: Target, value: string): Filter[] {
  const [number = '', system, code, ...rest] = splitEscaped(value, '|').map(unescaped)
  if (rest.length > 0 || (system !== undefined && code === undefined)) {
    throw invalid(`"${value}" is not a quantity; expected number, number|system|code or number||code.`)
  }
  const test = numberTest(number)
  if (kind === 'Money') return [elementWith(steps, { value: test, ...(code && { currency: code }) })]
  const fields = { value: test, ...(system && { system }) }
  if (!code) return [elementWith(steps, fields)]
  const units = system ? ['code'] : ['code', 'unit']
  return units.map((unit) => elementWith(steps, { ...fields, [unit]: code }))
}

function numberTest(text: string): object {
  const parts = NUMBER.exec(text)?.groups
  if (parts === undefined) throw invalid(`"${text}" is not a number with or without a prefix such as gt.`)
  const { prefix = 'eq', sign = '', whole = '', decimals = '', exponent = '0' } = parts
  const digits = BigInt(`${sign === '-' ? '-' : ''}${whole}${decimals}`)
  const scale = Number(exponent) - decimals.length - 1
  // In decimal digits and not by arithmetic, so that the bounds are the doubles nearest to what is meant.
  const tenths = (count: bigint) => Number(`${count}e${scale}`)
  const exact = tenths(digits * 10n)
  const rounded = { $gte: tenths(digits * 10n - 5n), $lt: tenths(digits * 10n + 5n) }
  const [nearest, farthest] = digits < 0n ? [11n, 9n] : [9n, 11n]
  switch (prefix) {
    case 'ne':
      return { $exists: true, $not: rounded }
    case 'gt':
    case 'sa':
      return { $gt: exact }
    case 'lt':
    case 'eb':
      return { $lt: exact }
    case 'ge':
      return { $gte: exact }
    case 'le':
      return { $lte: exact }
    case 'ap':
      return { $gte: tenths(digits * nearest), $lte: tenths(digits * farthest) }
    default:
      return rounded
  }
}
