import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { Fhir } from 'fhir'
import type { FhirResource, Observation } from 'fhir/r4.js'
import { PatientAttributePaths } from 'fhir-spec-tools'
import { population, RESOURCE_TYPES } from '../../scripts/population/index.js'

const PATIENTS = 200

describe('population', () => {
  let resources: FhirResource[]

  before(() => {
    resources = [...population({ patients: PATIENTS })]
  })

  describe('sameness', () => {
    it('is the same for the same seed, a number or its digits', () => {
      expect(ndjson({ patients: 30, seed: 7 })).to.equal(ndjson({ patients: 30, seed: '7' }))
    })

    it('is another one for another seed', () => {
      expect(ndjson({ patients: 3, seed: 7 })).not.to.equal(ndjson({ patients: 3, seed: 8 }))
    })

    // A change of the generator changes this on purpose. A change of machine or of Node's version must not.
    it('has these very bytes', () => {
      const digest = createHash('sha256')
        .update(ndjson({ patients: 150 }))
        .digest('hex')
      expect(digest).to.equal('a9fed97b91cc0aacc8279027533792db0e2954a77b6871a8fb4110563e5dcb34')
    })

    it('begins like every smaller one', () => {
      const all = ndjson({ patients: PATIENTS })
      for (const patients of [1, 9, 10, 40, 41, 100, 150]) {
        expect(all.startsWith(ndjson({ patients })), `${patients} patients`).to.equal(true)
      }
    })

    it('refuses a number of patients that is none', () => {
      for (const patients of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        expect(() => [...population({ patients })], `${patients}`).to.throw(
          RangeError,
          'positive whole number',
        )
      }
    })
  })

  describe('contents', () => {
    it('have every type, and the patients asked for', () => {
      const types = new Set(resources.map(({ resourceType }) => resourceType))
      expect([...types].sort()).to.deep.equal([...RESOURCE_TYPES])
      expect(ofType(resources, 'Patient').map(({ id }) => id)).to.deep.equal(
        Array.from({ length: PATIENTS }, (_, index) => `p${index + 1}`),
      )
    })

    it('have Observation values of every data type, and observations with components or a reason instead', () => {
      const observations = ofType(resources, 'Observation')
      const kinds = new Set(
        observations.flatMap((observation) => Object.keys(observation)).filter(isValueKey),
      )
      expect([...kinds].sort()).to.deep.equal([
        'component',
        'dataAbsentReason',
        'valueBoolean',
        'valueCodeableConcept',
        'valueDateTime',
        'valueInteger',
        'valuePeriod',
        'valueQuantity',
        'valueRange',
        'valueRatio',
        'valueString',
        'valueTime',
      ])
      const parts = observations
        .flatMap(({ component = [] }) => component)
        .flatMap((part) => Object.keys(part))
      expect(parts).to.include('valueSampledData')
      for (const observation of observations) {
        expect(Object.keys(observation).filter(isValueKey), observation.id).to.have.length(1)
      }
    })

    it('give every patient a name, a birth date, a gender and an encounter', () => {
      const visited = new Set(ofType(resources, 'Encounter').map(({ subject }) => subject?.reference))
      for (const { id, name, birthDate, gender } of ofType(resources, 'Patient')) {
        expect(name?.[0]?.family, id).to.be.a('string')
        expect(birthDate, id).to.match(/^\d{4}-\d\d-\d\d$/)
        expect(gender, id).to.be.oneOf(['male', 'female', 'other', 'unknown'])
        expect(visited.has(`Patient/${id}`), id).to.equal(true)
      }
    })

    it('have names in many scripts', () => {
      const names = ofType(resources, 'Patient').map(({ name }) => name?.[0]?.text)
      const scripts = 'Latin Greek Cyrillic Arabic Hebrew Devanagari Han Hangul'.split(' ')
      for (const script of scripts) {
        const pattern = new RegExp(`\\p{Script=${script}}`, 'u')
        expect(
          names.some((name) => name !== undefined && pattern.test(name)),
          script,
        ).to.equal(true)
      }
    })

    it('have what JSON escapes and what line readers stumble over, and no other control character', () => {
      const text = resources.map((resource) => JSON.stringify(resource)).join('')
      for (const sign of [
        '\\"',
        '\\\\',
        '\\n',
        '\\r',
        '\\t',
        '\u2028',
        '\u2029',
        '\ufeff',
        '😀',
        '𠮷',
        '髙',
      ]) {
        expect(text.includes(sign), JSON.stringify(sign)).to.equal(true)
      }
      // The stringifier writes the forbidden ones, and halves of surrogate pairs, as \b, \f or \uXXXX.
      expect(text.replaceAll('\\\\', '')).not.to.match(/\\[bfu]/)
    })

    it('are about 40 resources a patient, from a few to very many, of 1.0 to 1.5 kB', () => {
      const sizes = new Map<string, number>()
      for (const { id = '' } of resources) {
        const [patient] = /^p\d+(?=-|$)/.exec(id) ?? []
        if (patient) sizes.set(patient, (sizes.get(patient) ?? 0) + 1)
      }
      const counts = [...sizes.values()].sort((a, b) => a - b)
      expect(resources.length / PATIENTS).to.be.within(35, 45)
      expect(counts.at(0)).to.be.within(3, 9)
      expect(counts.at(-1)).to.be.within(140, 400)
      const bytes = Buffer.byteLength(ndjson({ patients: PATIENTS }))
      expect(bytes / resources.length).to.be.within(1_000, 1_500)
    })

    it('were updated all over the year 2024', () => {
      const months = new Map<string, number>()
      for (const { meta } of resources) {
        expect(meta?.lastUpdated).to.match(/^2024-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
        expect(meta?.versionId).to.match(/^[1-9]\d*$/)
        const month = meta?.lastUpdated?.slice(0, 7) ?? ''
        months.set(month, (months.get(month) ?? 0) + 1)
      }
      expect(months.size).to.equal(12)
      for (const [month, count] of months) {
        expect(count / resources.length, month).to.be.within(1 / 14, 1 / 10)
      }
    })

    it('have no id twice and no reference to nowhere', () => {
      const ids = new Set(resources.map(({ resourceType, id }) => `${resourceType}/${id}`))
      expect(ids.size).to.equal(resources.length)
      for (const id of ids) expect(id).to.match(/^[A-Z][A-Za-z]+\/[A-Za-z0-9\-.]{1,64}$/)
      for (const resource of resources) {
        for (const reference of references(resource)) {
          expect(ids.has(reference), `${resource.id} refers to ${reference}`).to.equal(true)
        }
      }
    })
  })

  describe('compartments', () => {
    it('share three resources for every tenth patient', () => {
      const shared = resources
        .filter(({ resourceType }) => resourceType !== 'Group')
        .filter((resource) => compartments(resource).size > 1)
      expect(shared).to.have.length(3 * Math.floor(PATIENTS / 10))
      const types = new Set(shared.map(({ resourceType }) => resourceType))
      expect([...types].sort()).to.deep.equal(['AllergyIntolerance', 'Coverage', 'Observation'])
      const ofTwenty = shared.find(({ id }) => id === 'p20-coverage')
      expect(ofTwenty && [...compartments(ofTwenty)].sort()).to.deep.equal(['Patient/p10', 'Patient/p20'])
    })

    it('hold everything but the organizations, the practitioners and the observations about a group', () => {
      const outside = resources.filter((resource) => compartments(resource).size === 0)
      const types = new Set(outside.map(({ resourceType }) => resourceType))
      expect([...types].sort()).to.deep.equal(['Observation', 'Organization', 'Practitioner'])
      const observations = outside.filter((resource): resource is Observation => {
        return resource.resourceType === 'Observation'
      })
      expect(observations.map(({ subject }) => subject?.reference)).to.deep.equal([
        'Group/panel-10',
        'Group/panel-100',
      ])
    })

    it('have Groups of bounded size', () => {
      const groups = [...population({ patients: 1_050 })].filter(
        ({ resourceType }) => resourceType === 'Group',
      )
      const sizes = groups.map((group) => [group.id, compartments(group).size])
      expect(Object.fromEntries(sizes)).to.deep.equal({
        'panel-10': 10,
        'panel-100': 100,
        'panel-1000': 1_000,
        'diabetes-registry': 11,
      })
    })

    it('have one Group with a member who has left', () => {
      const left = ofType(resources, 'Group').flatMap(({ id, member = [] }) => {
        return member.filter(({ inactive }) => inactive).map(() => id)
      })
      expect(left).to.deep.equal(['diabetes-registry'])
    })
  })

  describe('validity', () => {
    const validator = new Fhir()
    const faults = (resource: unknown): string[] => {
      const { valid, messages } = validator.validate(JSON.parse(JSON.stringify(resource)), {
        errorOnUnexpected: true,
      })
      return valid
        ? []
        : messages.map(({ severity, location, message }) => `${severity} at ${location}: ${message}`)
    }

    it('is checked by a validator that knows what is wrong', () => {
      const right = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, valueInteger: 1 }
      expect(faults(right)).to.deep.equal([])
      for (const wrong of [
        { ...right, status: 'finished' },
        { ...right, code: undefined },
        { ...right, surprise: true },
        { ...right, category: { text: 'x' } },
        { ...right, effectiveDateTime: 'yesterday' },
        { ...right, subject: { reference: 'Claim/1' } },
        { ...right, component: [{ valueInteger: 1 }] },
      ]) {
        expect(faults(wrong), JSON.stringify(wrong)).not.to.deep.equal([])
      }
    })

    it('is that of FHIR R4, for every resource', () => {
      for (const resource of resources) {
        expect(faults(resource), `${resource.resourceType}/${resource.id}`).to.deep.equal([])
      }
    }).timeout(60_000)

    it('leaves nothing empty: no undefined, no null, no empty text, list or object', () => {
      for (const resource of resources) expect(emptyParts(resource), resource.id).to.deep.equal([])
    })

    it('lets nothing begin before birth or end before it begins', () => {
      const births = new Map(
        ofType(resources, 'Patient').map(({ id, birthDate }) => [`Patient/${id}`, birthDate]),
      )
      for (const { id, subject, period } of ofType(resources, 'Encounter')) {
        const born = Date.parse(births.get(subject?.reference ?? '') ?? '')
        const start = Date.parse(period?.start ?? '')
        expect(start, id).to.be.at.least(born)
        expect(Date.parse(period?.end ?? ''), id).to.be.above(start)
        expect(Date.parse(period?.end ?? ''), id).to.be.below(Date.UTC(2024))
      }
    })
  })
})

function ndjson(options: Parameters<typeof population>[0]): string {
  let text = ''
  for (const resource of population(options)) text += `${JSON.stringify(resource)}\n`
  return text
}

function ofType<T extends FhirResource['resourceType']>(resources: readonly FhirResource[], type: T) {
  return resources.filter((resource): resource is Extract<FhirResource, { resourceType: T }> => {
    return resource.resourceType === type
  })
}

function isValueKey(key: string): boolean {
  return key.startsWith('value') || key === 'component' || key === 'dataAbsentReason'
}

/** Every `reference` anywhere in a value. */
function* references(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [key, part] of Object.entries(value)) {
    if (key === 'reference' && typeof part === 'string') yield part
    else yield* references(part)
  }
}

/** The patients in whose compartment a resource is, by the paths of FHIR's own definition; a Patient's own included. */
function compartments(resource: FhirResource): Set<string> {
  const paths: Readonly<Record<string, readonly string[]>> = PatientAttributePaths.patientAttributePaths
  const found = (paths[resource.resourceType] ?? [])
    .flatMap((path) => [...references(at(resource, path.split('.')))])
    .filter((reference) => reference.startsWith('Patient/'))
  if (resource.resourceType === 'Patient') found.push(`Patient/${resource.id}`)
  return new Set(found)
}

function at(value: unknown, [first, ...rest]: readonly string[]): unknown {
  if (first === undefined || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((member) => at(member, [first, ...rest]))
  return at(Object.entries(value).find(([key]) => key === first)?.[1], rest)
}

function emptyParts(value: unknown, path = ''): string[] {
  if (value === undefined || value === null || value === '') return [path]
  if (typeof value !== 'object') return []
  const entries = Object.entries(value)
  return entries.length === 0 ? [path] : entries.flatMap(([key, part]) => emptyParts(part, `${path}.${key}`))
}
