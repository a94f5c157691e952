/** Resources of a type, and which of them each search must find. */
export interface SearchCase {
  readonly title: string
  readonly type: string
  /** Content by id. */
  readonly resources: Readonly<Record<string, object>>
  /** Ids, in order and separated by spaces, by query. */
  readonly searches: Readonly<Record<string, string>>
}
