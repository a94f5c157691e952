import type { CodeableConcept, Coding, Quantity } from 'fhir/r4.js'

export const SNOMED = 'http://snomed.info/sct'
export const LOINC = 'http://loinc.org'
export const RXNORM = 'http://www.nlm.nih.gov/research/umls/rxnorm'
export const CVX = 'http://hl7.org/fhir/sid/cvx'
export const ICD_10_CM = 'http://hl7.org/fhir/sid/icd-10-cm'
export const UCUM = 'http://unitsofmeasure.org'

/** Codes nobody but this population uses: questions that no public terminology asks in these words. */
export const LOCAL = 'http://example.org/fhir/CodeSystem/intake'

/** The address of a code system that HL7 publishes with FHIR or with version 2 and 3. */
export function hl7(name: string): string {
  return `http://terminology.hl7.org/CodeSystem/${name}`
}

export function coding(system: string, code: string, display: string): Coding {
  return { system, code, display }
}

export function concept(system: string, code: string, display: string): CodeableConcept {
  return { coding: [{ system, code, display }], text: display }
}

/** A concept of one HL7 code, without a text: the code says it all. */
export function hl7Concept(system: string, code: string, display: string): CodeableConcept {
  return { coding: [{ system: hl7(system), code, display }] }
}

/** `unit` is a UCUM code and is shown as it is. */
export function quantity(value: number, unit: string): Quantity {
  return { value, unit, system: UCUM, code: unit }
}
