import { expect } from 'chai'

/** What a promise rejects with; one that does not fails the test. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    () => ({ error: undefined, isRejected: false }),
    (error: unknown) => ({ error, isRejected: true }),
  )
  expect(outcome.isRejected, 'rejected').to.equal(true)
  return outcome.error
}
