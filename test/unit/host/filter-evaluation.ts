// A second reading of the MongoDB queries that searches are made of, as far as these go, to test them without
// a database. The same tables of searches run against a real one in the integration tests.

type Json = Readonly<Record<string, unknown>>

const FILTERS: Readonly<Record<string, (document: Json, operand: never) => boolean>> = {
  $and: (document, filters: Json[]) => filters.every((filter) => matches(document, filter)),
  $or: (document, filters: Json[]) => filters.some((filter) => matches(document, filter)),
  $nor: (document, filters: Json[]) => !filters.some((filter) => matches(document, filter)),
  $expr: (document, expression: unknown) => evaluate(expression, { ROOT: document }) === true,
}

const TESTS: Readonly<Record<string, (values: readonly unknown[], operand: never) => boolean>> = {
  $eq: (values, operand) => values.some((value) => value === operand),
  $in: (values, list: unknown[]) => list.some((item) => meets(values, item)),
  $exists: (values, wanted) => values.length > 0 === wanted,
  $not: (values, test: Json) => !meets(values, test),
  $elemMatch: (values, test: Json) => values.flatMap(listsOnly).some((item) => meetsAsElement(item, test)),
  $gt: (values, operand: unknown) => values.some((value) => compare(value, operand) === 1),
  $gte: (values, operand: unknown) => values.some((value) => [0, 1].includes(compare(value, operand))),
  $lt: (values, operand: unknown) => values.some((value) => compare(value, operand) === -1),
  $lte: (values, operand: unknown) => values.some((value) => [-1, 0].includes(compare(value, operand))),
}

/** Whether a document matches a query. */
export function matches(document: Json, filter: Json): boolean {
  return Object.entries(filter).every(([key, operand]) => {
    if (key.startsWith('$')) return operatorOf(FILTERS, key)(document, operand as never)
    return meets(valuesAt(document, key.split('.')), operand)
  })
}

/** All values at a path, through lists; of a list itself both the list and its items. */
function valuesAt(value: unknown, [name, ...rest]: readonly string[]): unknown[] {
  if (name === undefined) return Array.isArray(value) ? [value, ...value] : [value]
  if (Array.isArray(value)) {
    return value.filter((item) => !Array.isArray(item)).flatMap((item) => valuesAt(item, [name, ...rest]))
  }
  return isObject(value) && name in value ? valuesAt(value[name], rest) : []
}

function meets(values: readonly unknown[], test: unknown): boolean {
  if (test instanceof RegExp) return values.some((value) => typeof value === 'string' && test.test(value))
  if (!isObject(test)) return values.some((value) => value === test)
  return Object.entries(test).every(([key, operand]) => operatorOf(TESTS, key)(values, operand as never))
}

function meetsAsElement(item: unknown, test: Json): boolean {
  if (Object.keys(test)[0]?.startsWith('$') && !isObject(item)) return meets([item], test)
  return isObject(item) && matches(item, test)
}

/** Comparison happens within a type only: -1, 0 or 1, and NaN for values of two types. */
function compare(a: unknown, b: unknown): number {
  if (typeof a !== typeof b || (typeof a !== 'string' && typeof a !== 'number')) return Number.NaN
  return a === b ? 0 : a < (b as typeof a) ? -1 : 1
}

type Variables = Readonly<Record<string, unknown>>
type Operator = (operand: never, variables: Variables) => unknown

const OPERATORS: Readonly<Record<string, Operator>> = {
  $and: (operands: unknown[], v) => operands.every((operand) => evaluate(operand, v) === true),
  $or: (operands: unknown[], v) => operands.some((operand) => evaluate(operand, v) === true),
  $not: ([operand]: [unknown], v) => evaluate(operand, v) !== true,
  $cond: ([test, yes, no]: unknown[], v) => evaluate(evaluate(test, v) === true ? yes : no, v),
  $eq: (operands: unknown[], v) => order(operands, v) === 0,
  $ne: (operands: unknown[], v) => order(operands, v) !== 0,
  $gt: (operands: unknown[], v) => order(operands, v) > 0,
  $gte: (operands: unknown[], v) => order(operands, v) >= 0,
  $lt: (operands: unknown[], v) => order(operands, v) < 0,
  $lte: (operands: unknown[], v) => order(operands, v) <= 0,
  $in: ([item, list]: [unknown, unknown[]], v) => list.includes(evaluate(item, v)),
  $type: (operand: unknown, v) => typeOf(evaluate(operand, v)),
  $isArray: ([operand]: [unknown], v) => Array.isArray(evaluate(operand, v)),
  $concat: (operands: unknown[], v) => operands.map((operand) => evaluate(operand, v)).join(''),
  $strLenCP: (operand: unknown, v) => String(evaluate(operand, v)).length,
  $substrCP: ([text, start, length]: [unknown, number, number], v) =>
    String(evaluate(text, v)).slice(start, start + length),
  $concatArrays: (operands: unknown[], v) => operands.flatMap((operand) => evaluate(operand, v)),
  $min: (operand: unknown, v) => extreme(evaluate(operand, v), 1),
  $max: (operand: unknown, v) => extreme(evaluate(operand, v), -1),
  $anyElementTrue: ([operand]: [unknown], v) => (evaluate(operand, v) as unknown[]).includes(true),
  $map: ({ input, in: body }: { input: unknown; in: unknown }, v) =>
    (evaluate(input, v) as unknown[]).map((item) => evaluate(body, { ...v, this: item })),
  $reduce: ({ input, initialValue, in: body }: Record<'input' | 'initialValue' | 'in', unknown>, v) =>
    (evaluate(input, v) as unknown[]).reduce(
      (value, item) => evaluate(body, { ...v, value, this: item }),
      initialValue,
    ),
  $let: ({ vars, in: body }: { vars: Json; in: unknown }, v) => {
    const values = Object.entries(vars).map(([name, expression]) => [name, evaluate(expression, v)])
    return evaluate(body, { ...v, ...Object.fromEntries(values) })
  },
  $dateFromString: ({ dateString }: { dateString: unknown }, v) => {
    const date = new Date(String(evaluate(dateString, v)))
    return Number.isNaN(date.getTime()) ? null : date
  },
  $dateAdd: ({ startDate, unit }: { startDate: unknown; unit: unknown }, v) =>
    unitLater(evaluate(startDate, v), evaluate(unit, v)),
}

function evaluate(expression: unknown, variables: Variables): unknown {
  if (typeof expression === 'string') {
    if (!expression.startsWith('$')) return expression
    const path = (expression.startsWith('$$') ? expression.slice(2) : `ROOT.${expression.slice(1)}`).split(
      '.',
    )
    return fieldOf(variables, path)
  }
  if (Array.isArray(expression)) return expression.map((item) => evaluate(item, variables))
  if (!isObject(expression)) return expression
  const [[name, operand] = ['', undefined]] = Object.entries(expression)
  return operatorOf(OPERATORS, name)(operand as never, variables)
}

/** A path in an expression gives a list where it leads through a list. */
function fieldOf(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value
  if (Array.isArray(value)) {
    return value.map((item) => fieldOf(item, [name, ...rest])).filter((item) => item !== undefined)
  }
  return isObject(value) ? fieldOf(value[name], rest) : undefined
}

function unitLater(start: unknown, unit: unknown): Date | null {
  if (!(start instanceof Date)) return null
  const date = new Date(start)
  if (unit === 'year') date.setUTCFullYear(date.getUTCFullYear() + 1)
  else if (unit === 'month') date.setUTCMonth(date.getUTCMonth() + 1)
  else date.setTime(date.getTime() + ({ day: 86_400_000, second: 1000 }[String(unit)] ?? 1))
  return date
}

const TYPE_ORDER = ['missing', 'null', 'number', 'string', 'object', 'array', 'bool', 'date']

function order(operands: readonly unknown[], variables: Variables): number {
  const [a, b] = operands.map((operand) => evaluate(operand, variables))
  const types = TYPE_ORDER.indexOf(typeOf(a)) - TYPE_ORDER.indexOf(typeOf(b))
  if (types !== 0) return types
  const [x, y] = [a, b].map((value) => (value instanceof Date ? value.getTime() : value)) as [number, number]
  return x === y ? 0 : x < y ? -1 : 1
}

function extreme(list: unknown, sign: number): unknown {
  const dates = (list as unknown[]).filter((item) => item instanceof Date)
  return dates.sort((a, b) => sign * (a.getTime() - b.getTime()))[0] ?? null
}

function typeOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return 'date'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function operatorOf<T>(operators: Readonly<Record<string, T>>, name: string): T {
  const operator = operators[name]
  if (operator === undefined) throw new Error(`not an operator that searches use: ${name}`)
  return operator
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function listsOnly(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
