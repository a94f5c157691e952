/** The FHIR version that a base URL such as `https://fhir.example.org/4_0_0` ends with, as the host core writes it. */
export function versionOf(base: string): string {
  return base.slice(base.lastIndexOf('/') + 1)
}

/** A base URL without its version. */
export function rootOf(base: string): string {
  return base.slice(0, base.lastIndexOf('/'))
}
