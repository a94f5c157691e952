import { type FhirRelease, releaseOf } from '../fhir/fhir-version.js'

/** In what the releases differ where a server describes itself. */
export interface StatementForm {
  /** Whether a type lists its own operations; otherwise those of all types stand beside those of the system. */
  readonly hasTypeOperations: boolean
  /** Whether a statement can name what it instantiates. */
  readonly hasInstantiates: boolean
  /** The element of an extension with a URL in it. */
  readonly urlValue: 'valueCanonical' | 'valueUri'
  /** The name of the code system for what protects a server. */
  readonly securityServices: string
  /** The URL of a definition as the release writes it: itself, or a Reference to it. */
  definition(url: unknown): unknown
}

const EARLY_SERVICES = 'http://hl7.org/fhir/restful-security-service'

const FORMS: Readonly<Record<FhirRelease, StatementForm>> = {
  R4: {
    ...{ hasTypeOperations: true, hasInstantiates: true, urlValue: 'valueCanonical' },
    securityServices: 'http://terminology.hl7.org/CodeSystem/restful-security-service',
    definition: (url) => url,
  },
  STU3: {
    ...{ hasTypeOperations: false, hasInstantiates: true, urlValue: 'valueUri' },
    securityServices: EARLY_SERVICES,
    definition: (reference) => ({ reference }),
  },
  DSTU2: {
    ...{ hasTypeOperations: false, hasInstantiates: false, urlValue: 'valueUri' },
    securityServices: EARLY_SERVICES,
    definition: (reference) => ({ reference }),
  },
}

/** The names that hosts may have written for the code system, each right in some release. */
export const SECURITY_SERVICES: ReadonlySet<unknown> = new Set(
  Object.values(FORMS).map(({ securityServices }) => securityServices),
)

/**
 * The form of a statement in a FHIR version.
 *
 * @param version as the host core writes it, such as `4_0_0`
 * @throws Error for a version that is not exported
 */
export function statementForm(version: string): StatementForm {
  return FORMS[releaseOf(version)]
}
