import type { Address, ContactPoint, HumanName } from 'fhir/r4.js'
import { CULTURES, type Culture } from './cultures.js'
import type { Dice } from './dice.js'

export type Gender = 'female' | 'male' | 'other' | 'unknown'

export interface Person {
  readonly culture: Culture
  readonly gender: Gender
  readonly name: HumanName
  /** The whole name, as the culture writes it. */
  readonly fullName: string
}

const GENDERS: readonly (readonly [number, Gender])[] = [
  [50, 'female'],
  [47, 'male'],
  [2, 'other'],
  [1, 'unknown'],
]

export function person(dice: Dice, culture: Culture = dice.weighted(CULTURES)): Person {
  const gender = dice.weighted(GENDERS)
  const given = givenNames(dice, culture, gender)
  const family = dice.pick(culture.families)
  const fullName = culture.familyFirst ? `${family} ${given.join(' ')}` : `${given.join(' ')} ${family}`
  return { culture, gender, name: { use: 'official', text: fullName, family, given }, fullName }
}

export function address(dice: Dice, culture: Culture): Address {
  const street = dice.pick(culture.streets)
  const number = dice.between(1, 240)
  const line =
    culture.country === 'US' || culture.country === 'FR' ? `${number} ${street}` : `${street} ${number}`
  const city = dice.pick(culture.cities)
  const postalCode = dice.digits(culture.postalCode)
  const text = `${line}\n${postalCode} ${city}\n${culture.country}`
  return { use: 'home', type: 'both', text, line: [line], city, postalCode, country: culture.country }
}

export function telephone(dice: Dice, culture: Culture, use: 'home' | 'work' | 'mobile'): ContactPoint {
  return { system: 'phone', value: dice.digits(culture.phone), use }
}

function givenNames(dice: Dice, culture: Culture, gender: Gender): string[] {
  const men = gender === 'male' || (gender !== 'female' && dice.chance(50))
  const names = men ? culture.men : culture.women
  return dice.chance(25) ? dice.sample(names, 2) : [dice.pick(names)]
}
