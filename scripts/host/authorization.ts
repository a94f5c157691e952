import { createRequire } from 'node:module'
import type { Settings } from '../../config/settings.js'

const require = createRequire(import.meta.url)

/**
 * What the configuration of the example host has so that it asks for tokens and goes by their scopes.
 *
 * @returns nothing without `OAUTH_ISSUER`: then whoever reaches the host may read everything
 */
export function authorizationConfig({ oauthIssuer }: Pick<Settings, 'oauthIssuer'>): object {
  if (oauthIssuer === undefined) return {}
  return {
    auth: { type: 'smart', strategy: { name: 'bearer', service: require.resolve('./bearer-strategy.js') } },
    security: [{ url: 'token', valueUri: `${oauthIssuer}/token` }],
  }
}
