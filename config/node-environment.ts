/** `NODE_ENV`, on which the host core's own checks of tokens depend. */
export function nodeEnvironment(env: NodeJS.ProcessEnv = process.env): string | undefined {
  return env['NODE_ENV']
}
