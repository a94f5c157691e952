import { dateCases } from './date-cases.js'
import type { SearchCase } from './search-case.js'

// Everything here is worked out by hand from FHIR R4, "Search".

const coding = (system: string | undefined, code: string) => ({ ...(system && { system }), code })
const concept = (...codings: object[]) => ({ coding: codings })

const tokens: SearchCase[] = [
  {
    title: 'token on CodeableConcept and on a list of them',
    type: 'Observation',
    resources: {
      a: {
        code: concept(coding('http://loinc.org', '8480-6')),
        category: [concept(coding('urn:c', 'vital'))],
      },
      b: { code: concept(coding('urn:other', '8480-6'), coding('http://loinc.org', '1-1')) },
      c: {
        code: concept(coding(undefined, '8480-6')),
        category: [concept(), concept(coding('urn:c', 'lab'))],
      },
      d: { code: { text: 'no coding' } },
    },
    searches: {
      'code=8480-6': 'a b c',
      'code=http://loinc.org|8480-6': 'a',
      'code=|8480-6': 'c',
      'code=http://loinc.org|': 'a b',
      'code=http://loinc.org|1-1,urn:other|8480-6': 'b',
      // The system of one coding with the code of another is no match.
      'code=urn:other|1-1': '',
      'code:not=8480-6': 'd',
      'code:not=http://loinc.org|8480-6': 'b c d',
      'code:not=1-1,http://loinc.org|8480-6': 'c d',
      'category=urn:c|lab': 'c',
      'category=lab,vital': 'a c',
      'category:missing=true': 'b d',
      'category:missing=false': 'a c',
      'code=8480-6&category=lab': 'c',
    },
  },
  {
    title: 'token on Coding',
    type: 'Encounter',
    resources: {
      a: { class: coding('urn:class', 'AMB'), meta: { tag: [coding('urn:t', 'x'), coding('urn:u', 'y')] } },
      b: { class: coding('urn:class', 'EMER'), meta: { tag: [coding('urn:t', 'y')] } },
      c: { class: coding(undefined, 'AMB') },
    },
    searches: {
      'class=AMB': 'a c',
      'class=urn:class|AMB': 'a',
      'class=urn:class|': 'a b',
      'class=|AMB': 'c',
      '_tag=urn:t|y': 'b',
      '_tag=y': 'a b',
      '_tag:not=y': 'c',
    },
  },
  {
    title: 'token on Identifier, ContactPoint, code, boolean, and id',
    type: 'Patient',
    resources: {
      a: {
        identifier: [{ system: 'urn:mrn', value: 'a|1' }],
        active: true,
        gender: 'male',
        telecom: [
          { system: 'phone', value: '555' },
          { system: 'email', value: 'a@b.org' },
        ],
      },
      b: { identifier: [{ value: '1' }], active: false, gender: 'female', deceasedBoolean: false },
      c: { gender: 'other', telecom: [{ system: 'email', value: '555' }], deceasedBoolean: true },
      d: { telecom: [{ value: '555' }], deceasedDateTime: '2020-03' },
    },
    searches: {
      'identifier=urn:mrn|a\\|1': 'a',
      'identifier=a\\|1': 'a',
      'identifier=|1': 'b',
      'identifier=urn:mrn|': 'a',
      'active=true': 'a',
      'active=false': 'b',
      'gender=male,other': 'a c',
      'gender=http://hl7.org/fhir/administrative-gender|male': 'a',
      'gender:not=male': 'b c d',
      'phone=555': 'a',
      'email=555': 'c',
      'telecom=555': 'a c d',
      'telecom=phone|555': 'a',
      'phone:missing=true': 'b c d',
      'email:missing=false': 'a c',
      // Whoever has a date of death is deceased; whoever has neither is not.
      'deceased=true': 'c d',
      'deceased=false': 'a b',
      'deceased:missing=true': 'a',
      'death-date=2020': 'd',
      '_id=a': 'a',
      '_id=d,b,nobody': 'b d',
      '_id:not=a': 'b c d',
    },
  },
]

const texts: SearchCase[] = [
  {
    title: 'string on text, names and addresses',
    type: 'Patient',
    resources: {
      a: {
        name: [{ family: 'Núñez', given: ['José', 'María'] }],
        address: [{ line: ['1 Main St'], city: 'Boston', state: 'MA' }],
      },
      b: { name: [{ family: 'Nunez' }, { text: 'Jo Smith, Jr.' }], address: [{ city: 'West Boston' }] },
      c: { name: [{ family: 'SMITH', given: ['a.c'] }] },
      d: { name: [{ family: 'Jose\u0301', given: ['abc'] }] },
    },
    searches: {
      'family=nunez': 'a b',
      'family=núñ': 'a b',
      'given=jose': 'a',
      'family:exact=Nunez': 'b',
      'family:exact=nunez': '',
      'family:contains=MIT': 'c',
      'family:contains=ñez': 'a b',
      'family=jose': 'd',
      'name=jo': 'a b d',
      'name=smith': 'c',
      'name:contains=smith': 'b c',
      'name=Jo Smith\\, Jr': 'b',
      'name:exact=Jo Smith\\, Jr.,SMITH': 'b c',
      'given=a.c': 'c',
      'given=(': '',
      'given:missing=true': 'b',
      'address-city=boston': 'a',
      'address:contains=boston': 'a b',
      'address=1 main': 'a',
    },
  },
  {
    title: 'string on a choice that the core names by another form',
    type: 'Observation',
    resources: {
      a: { valueString: 'Positive' },
      b: { valueCodeableConcept: { text: 'positively' } },
      c: { valueQuantity: { value: 1, unit: 'positive' } },
    },
    searches: {
      'value-string=positive': 'a b',
      'value-string:exact=Positive': 'a',
      'value-string:missing=true': 'c',
    },
  },
  {
    title: 'uri and canonical',
    type: 'Library',
    resources: {
      a: {
        url: 'http://x.org/Library/a?x=1&y=2',
        relatedArtifact: [
          { type: 'composed-of', resource: 'http://x.org/Library/b|1.0' },
          { type: 'depends-on', resource: 'http://x.org/Library/c' },
        ],
      },
      b: { url: 'http://x.org/Library/b', meta: { profile: ['http://p.org/q|2'], source: 'urn:s' } },
      c: { url: 'http://x.org/Library', meta: { profile: ['http://p.org/qq'] } },
    },
    searches: {
      'url=http://x.org/Library/a?x=1%26y=2': 'a',
      'url=http://x.org/Library': 'c',
      'url=http://x.org/Library,http://x.org/Library/b': 'b c',
      '_source=urn:s': 'b',
      'composed-of=http://x.org/Library/b': 'a',
      'composed-of=http://x.org/Library/b|1.0': 'a',
      'composed-of=http://x.org/Library/b|1': '',
      'composed-of=http://x.org/Library/c': '',
      'depends-on=http://x.org/Library/c': 'a',
      'composed-of:missing=false': 'a',
      'successor:missing=true': 'a b c',
      '_profile=http://p.org/q': 'b',
      '_profile=http://p.org/q|2': 'b',
    },
  },
]

const ref = (reference: string) => ({ reference })

const references: SearchCase[] = [
  {
    title: 'reference',
    type: 'Observation',
    resources: {
      a: { subject: ref('Patient/1'), performer: [ref('Practitioner/1'), ref('Patient/2')] },
      b: { subject: ref('Group/1') },
      c: { subject: ref('http://other.org/fhir/Patient/1') },
      d: { subject: ref('urn:uuid:0a'), performer: [ref('Patient/1')] },
      e: { subject: { identifier: { value: '1' } } },
      f: { subject: ref('Patient/1/_history/2') },
    },
    searches: {
      'subject=Patient/1': 'a f',
      'subject=1': 'a b',
      'subject:Patient=1': 'a f',
      'subject:Group=1': 'b',
      'subject:Patient=Patient/1': 'a f',
      'patient=1': 'a f',
      'patient=Patient/1,Patient/2': 'a f',
      'subject=http://other.org/fhir/Patient/1': 'c',
      'subject=urn:uuid:0a': 'd',
      'subject=Patient/1/_history/2': 'f',
      'subject=Patient/11': '',
      'performer=Patient/2,Patient/1': 'a d',
      'performer=Patient/2&subject=Patient/1': 'a',
      'subject:missing=false': 'a b c d e f',
      'performer:missing=true': 'b c e f',
    },
  },
  {
    title: 'reference inside lists, and to a member',
    type: 'Group',
    resources: {
      a: { member: [{ entity: ref('Patient/1') }, { entity: ref('Patient/2') }] },
      b: { member: [{ entity: ref('Device/1') }] },
      c: {},
    },
    searches: {
      'member=Patient/2': 'a',
      'member=1': 'a b',
      'member:Device=1': 'b',
      'member:missing=true': 'c',
    },
  },
]

const quantity = (value: number, code: string, system?: string) => ({
  valueQuantity: { value, unit: `unit ${code}`, code, ...(system && { system }) },
})

const numbers: SearchCase[] = [
  {
    title: 'number',
    type: 'ChargeItem',
    resources: {
      a: { factorOverride: 5.35 },
      b: { factorOverride: 5.4 },
      c: { factorOverride: 5.449 },
      d: { factorOverride: 5.45 },
      e: { factorOverride: 5 },
      f: { factorOverride: -5.4 },
      g: {},
    },
    searches: {
      'factor-override=5.4': 'a b c',
      'factor-override=eq5.4': 'a b c',
      'factor-override=5.40': 'b',
      'factor-override=5': 'a b c d e',
      'factor-override=-5.4': 'f',
      'factor-override=ne5.4': 'd e f',
      'factor-override=gt5.4': 'c d',
      'factor-override=sa5.4': 'c d',
      'factor-override=ge5.4': 'b c d',
      'factor-override=lt5.4': 'a e f',
      'factor-override=eb5.4': 'a e f',
      'factor-override=le5.4': 'a b e f',
      'factor-override=ap6': 'b c d',
      'factor-override=ap-6': 'f',
      'factor-override=5.40,-5.4': 'b f',
      'factor-override=0.54e1': 'a b c',
      'factor-override:missing=true': 'g',
    },
  },
  {
    title: 'number inside lists, met by one entry',
    type: 'RiskAssessment',
    resources: {
      a: { prediction: [{ probabilityDecimal: 0.1 }, { probabilityDecimal: 0.9 }] },
      b: { prediction: [{ probabilityDecimal: 0.5 }] },
    },
    searches: { 'probability=0.5': 'b', 'probability=gt0.5': 'a', 'probability=0.9': 'a' },
  },
  {
    title: 'quantity',
    type: 'Observation',
    resources: {
      a: quantity(80, 'kg', 'http://unitsofmeasure.org'),
      b: quantity(80.4, 'kg'),
      c: quantity(80, 'g', 'http://unitsofmeasure.org'),
      d: { component: [quantity(60, 'mm'), quantity(90, 'mg')] },
      e: { valueString: '80' },
    },
    searches: {
      'value-quantity=80': 'a b c',
      'value-quantity=80.0': 'a c',
      'value-quantity=80|http://unitsofmeasure.org|kg': 'a',
      'value-quantity=80||kg': 'a b',
      'value-quantity=80||unit g': 'c',
      'value-quantity=gt80||kg': 'b',
      'value-quantity=le80,gt80.3||kg': 'a b c',
      'value-quantity:missing=true': 'd e',
      // Of one component, not a value of one and a unit of another.
      'component-value-quantity=gt80||mm': '',
      'component-value-quantity=gt80||mg': 'd',
      'component-value-quantity=75': '',
    },
  },
  {
    title: 'quantity on Age, Money and Duration',
    type: 'ChargeItem',
    resources: { a: { priceOverride: { value: 10, currency: 'EUR' } }, b: { priceOverride: { value: 10 } } },
    searches: { 'price-override=10': 'a b', 'price-override=10||EUR': 'a', 'price-override=lt10||EUR': '' },
  },
]

export const searchCases: readonly SearchCase[] = [
  ...tokens,
  ...texts,
  ...references,
  ...numbers,
  ...dateCases,
]

/** Searches that must be refused, by type. */
export const refusedSearches: Readonly<Record<string, readonly string[]>> = {
  Observation: [
    'date=yesterday',
    'date=2013-02-30',
    'date=xx2013',
    'date:exact=2013',
    'date:missing=maybe',
    'code:text=x',
    'code:in=x',
    'code=a|b|c',
    'code=|',
    'subject:Nobody=1',
    'subject:Patient.name=x',
    'subject=Patient/1/extra',
    'subject:Group=Patient/1',
    'patient=Group/1',
    'value-quantity=abc',
    'value-quantity=5|x',
    'value-quantity=5|x|y|z',
    'code-value-quantity=1$2',
    '_content=x',
    '_text=x',
    '_query=x',
    '_lastUpdated:not=2020',
  ],
  Patient: [`name=${'x'.repeat(151)}`, 'name:below=x', 'gender:exact=male', 'deceased=x'],
  ChargeItem: ['factor-override=five', 'factor-override=5.', 'factor-override:not=5'],
  Location: ['near=1|2'],
  Library: ['url:below=http://x.org'],
  Bundle: ['composition=Composition/1'],
}
