// openid-client 5: one sign-in. Configuration as JSON in the first argument; answers are lines of JSON; after `authorize` it
// reads the address that the browser was sent to from standard input.
import { createInterface } from 'node:readline'
import { Issuer, generators, custom } from 'openid-client'

const say = (object) => console.log(JSON.stringify(object))
const config = JSON.parse(process.argv[2])
custom.setHttpOptionsDefaults({ timeout: 10000 })
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

try {
  const issuer = await Issuer.discover(config.issuer)
  const client = new issuer.Client({
    client_id: config.client_id,
    client_secret: config.client_secret,
    redirect_uris: [config.redirect_uri],
    response_types: ['code'],
    token_endpoint_auth_method: config.authentication ?? 'client_secret_basic',
    id_token_signed_response_alg: config.algorithm ?? 'RS256',
  })
  const verifier = generators.codeVerifier()
  const state = generators.state()
  const nonce = generators.nonce()
  const parameters = {
    scope: config.scope ?? 'openid profile email offline_access',
    code_challenge: generators.codeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...(config.parameters ?? {}),
  }
  if (config.par) {
    const pushed = await client.pushedAuthorizationRequest(parameters)
    say({ step: 'authorize', url: client.authorizationUrl({ request_uri: pushed.request_uri }) })
  } else {
    say({ step: 'authorize', url: client.authorizationUrl(parameters) })
  }
  const { value: callback } = await lines.next()
  const answer = client.callbackParams(callback)
  const tokens = await client.callback(config.redirect_uri, answer, { code_verifier: verifier, state, nonce })
  const userinfo = await client.userinfo(tokens)
  say({ step: 'tokens', claims: tokens.claims(), userinfo, scope: tokens.scope, expires_in: tokens.expires_in })
  if (tokens.refresh_token) {
    const refreshed = await client.refresh(tokens.refresh_token)
    say({ step: 'refreshed', rotated: refreshed.refresh_token !== tokens.refresh_token, claims: refreshed.claims() })
    await client.userinfo(refreshed)
    if (config.revoke) {
      await client.revoke(refreshed.refresh_token, 'refresh_token')
      let refused = ''
      try {
        await client.refresh(refreshed.refresh_token)
      } catch (error) {
        refused = error.error
      }
      say({ step: 'revoked', refused })
    }
  }
  if (config.post_logout_redirect_uri) {
    say({
      step: 'logout',
      url: client.endSessionUrl({
        id_token_hint: tokens.id_token,
        post_logout_redirect_uri: config.post_logout_redirect_uri,
        state: 'bye',
      }),
    })
  }
  say({ step: 'end' })
} catch (error) {
  say({ step: 'failed', name: error.name, error: error.error ?? '', message: error.message })
}
process.exit(0)
