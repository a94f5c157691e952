/** One stretch of a file, with both of its ends in it. */
export interface Slice {
  readonly start: number
  readonly end: number
}

/**
 * What a `Range` header asks of a file of `size` bytes (RFC 9110, 14.1.2 and 14.2): a slice that lies within
 * the file, or `unsatisfiable`. `undefined` for all that a server may ignore: another unit, several ranges,
 * or what is no range.
 */
export function sliceOf(header: string, size: number): Slice | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header) ?? []
  if (first === '' && last === '') return undefined
  // A suffix that is longer than the file is all of it.
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Number(last)
  if (first !== '' && last !== '' && end < start) return undefined
  return start < size ? { start, end: Math.min(end, size - 1) } : 'unsatisfiable'
}
