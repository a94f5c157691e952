import { once } from 'node:events'
import { rename, writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import { runProgram } from './host/program.js'
import { shutdownRequested } from './host/shutdown.js'
import { createDemoServer, createKeyPair } from './oauth/demo-server.js'

const flags = new Command('oauth')
  .description('An authorisation server for demonstrations: SMART Backend Services for one client.')
  .requiredOption('-c, --client <id>', 'the client that is registered')
  .requiredOption('-k, --key-file <file>', 'where its new private key goes, as a JWK')
  .addHelpText(
    'after',
    '\nIt is OAUTH_ISSUER, listens on HOST and PORT, and its tokens are for OAUTH_AUDIENCE.',
  )
  .parse()
  .opts<{ readonly client: string; readonly keyFile: string }>()

await runProgram(async ({ oauthIssuer: issuer, oauthAudience: audience, host, port }, logger) => {
  if (issuer === undefined || audience === undefined) throw new Error('Set OAUTH_ISSUER and OAUTH_AUDIENCE.')
  const { privateJwk, publicJwk } = await createKeyPair(flags.client)
  const server = await createDemoServer({ issuer, audience, clients: new Map([[flags.client, publicJwk]]) })
  server.listen(port, host)
  await once(server, 'listening')
  // Whole or not at all, and for nobody else.
  await writeFile(`${flags.keyFile}.part`, JSON.stringify(privateJwk), { mode: 0o600 })
  await rename(`${flags.keyFile}.part`, flags.keyFile)
  logger.info('oauth.listening', { issuer, audience, client: flags.client, keyFile: flags.keyFile })
  await shutdownRequested(logger)
  server.close()
  server.closeAllConnections()
})
