import type { SchemaClass, SearchParameter } from './core.js'
import { choiceOf, type Element, elementsOf } from './element.js'

/** One step of the way from a resource to an element. */
export interface Step {
  readonly name: string
  readonly isArray: boolean
  /** Only the entries of the list with this value count: `[system/@value='email']`. */
  readonly where?: { readonly name: string; readonly value: string }
}

/** An element that a search parameter looks at. */
export interface Target {
  readonly steps: readonly Step[]
  /** Name of the FHIR data type; `primitive` if the schema does not tell which primitive it is. */
  readonly kind: string
  /** For a choice named in its boolean form: the other forms, whose presence means `true` (`Patient.deceased`). */
  readonly otherForms?: readonly (readonly Step[])[]
}

/** What each type of parameter can look at. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  token: ['primitive', 'boolean', 'code', 'Coding', 'CodeableConcept', 'Identifier', 'ContactPoint'],
  string: ['primitive', 'string', 'markdown', 'HumanName', 'Address', 'CodeableConcept'],
  reference: ['primitive', 'canonical', 'uri', 'Reference'],
  date: ['primitive', 'date', 'dateTime', 'instant', 'Period', 'Timing'],
  number: ['primitive', 'decimal', 'integer', 'positiveInt', 'unsignedInt'],
  quantity: ['Quantity', 'Age', 'Count', 'Distance', 'Duration', 'Money'],
  uri: ['primitive', 'uri', 'url', 'canonical', 'oid', 'uuid'],
}

const STEP = /^(?<name>[A-Za-z]+)(?:\[(?<field>[A-Za-z]+)\/@value='(?<value>[^']*)'\])?$/

/**
 * The elements that a parameter looks at: the one that its `xpath` names and, where that is one form of a
 * choice element, the other forms that a parameter of its type can look at.
 *
 * @returns none if this host cannot search by the parameter: its type is not one of those above, it has no
 *   path, or the path leads nowhere
 */
export function targetsOf(schema: SchemaClass, parameter: SearchParameter): Target[] {
  const kinds = KINDS[parameter.type] ?? []
  const steps: Step[] = []
  let parent: SchemaClass | undefined
  let element: Element | undefined
  let current: SchemaClass | undefined = schema
  for (const part of (parameter.xpath ?? '').split(/\.(?![^[]*\])/).slice(1)) {
    const { name = '', field, value = '' } = STEP.exec(part)?.groups ?? {}
    parent = current
    element = parent && elementsOf(parent).get(name)
    if (element === undefined) return []
    steps.push({
      name,
      isArray: element.isArray,
      ...(field === undefined ? {} : { where: { name: field, value } }),
    })
    current = element.schema
  }
  if (parent === undefined || element === undefined) return []
  const choice = choiceOf(parent, element)
  if (choice.length > 0) return choiceTargets(element, steps, choice, kinds)
  const kind = element.schema?.resourceType ?? 'primitive'
  return kinds.includes(kind) ? [{ steps: withStoredId(steps), kind }] : []
}

function choiceTargets(
  named: Element,
  steps: readonly Step[],
  choice: ReturnType<typeof choiceOf>,
  kinds: readonly string[],
): Target[] {
  const stepsTo = ({ name, isArray }: Element): Step[] => [...steps.slice(0, -1), { name, isArray }]
  return choice
    .filter(({ dataType }) => kinds.includes(dataType))
    .map(({ element, dataType }) => {
      const target = { steps: stepsTo(element), kind: dataType }
      if (element !== named || dataType !== 'boolean') return target
      const others = choice.filter((form) => form.element !== element).map((form) => stepsTo(form.element))
      return { ...target, otherForms: others }
    })
}

/** The id of a resource is also the key of its document, which has an index. */
function withStoredId(steps: readonly Step[]): readonly Step[] {
  return steps.length === 1 && steps[0]?.name === 'id' ? [{ name: '_id', isArray: false }] : steps
}
