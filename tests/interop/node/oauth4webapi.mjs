// oauth4webapi 3: one sign-in, and what a resource server makes of the access token. The same lines as openid-client.mjs.
import { createInterface } from 'node:readline'
import * as oauth from 'oauth4webapi'

const say = (object) => console.log(JSON.stringify(object))
const config = JSON.parse(process.argv[2])
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

try {
  const issuer = new URL(config.issuer)
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
  const client = { client_id: config.client_id, id_token_signed_response_alg: config.algorithm ?? 'RS256' }
  const authentication = config.client_secret ? oauth.ClientSecretBasic(config.client_secret) : oauth.None()
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const parameters = new URLSearchParams({
    client_id: config.client_id,
    redirect_uri: config.redirect_uri,
    response_type: 'code',
    scope: config.scope ?? 'openid profile email offline_access',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...(config.parameters ?? {}),
  })
  const url = new URL(server.authorization_endpoint)
  if (config.par) {
    const response = await oauth.pushedAuthorizationRequest(server, client, authentication, parameters)
    const pushed = await oauth.processPushedAuthorizationResponse(server, client, response)
    url.searchParams.set('client_id', config.client_id)
    url.searchParams.set('request_uri', pushed.request_uri)
  } else {
    for (const [name, value] of parameters) url.searchParams.append(name, value)
  }
  say({ step: 'authorize', url: url.href })
  const { value: callback } = await lines.next()
  const answer = oauth.validateAuthResponse(server, client, new URL(callback), state)
  const response = await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, config.redirect_uri, verifier)
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: nonce,
    requireIdToken: true,
  })
  await oauth.validateApplicationLevelSignature(server, response)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const userinfo = await oauth.processUserInfoResponse(
    server, client, claims.sub, await oauth.userInfoRequest(server, client, tokens.access_token),
  )
  say({ step: 'tokens', claims, userinfo, scope: tokens.scope, expires_in: tokens.expires_in })
  if (tokens.refresh_token) {
    const refreshed = await oauth.processRefreshTokenResponse(
      server, client, await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token),
    )
    say({
      step: 'refreshed',
      rotated: refreshed.refresh_token !== tokens.refresh_token,
      claims: oauth.getValidatedIdTokenClaims(refreshed) ?? null,
    })
    if (config.revoke) {
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(server, client, authentication, refreshed.refresh_token),
      )
      let refused = ''
      try {
        await oauth.processRefreshTokenResponse(
          server, client, await oauth.refreshTokenGrantRequest(server, client, authentication, refreshed.refresh_token),
        )
      } catch (error) {
        refused = error.error
      }
      say({ step: 'revoked', refused })
    }
  }
  if (config.audience) {
    const request = new Request(config.audience, { headers: { authorization: `Bearer ${tokens.access_token}` } })
    say({ step: 'access_token', claims: await oauth.validateJwtAccessToken(server, request, config.audience) })
  }
  say({ step: 'end' })
} catch (error) {
  say({ step: 'failed', name: error.name, error: error.error ?? '', message: error.message })
}
process.exit(0)
