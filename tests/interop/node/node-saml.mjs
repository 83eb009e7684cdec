// A SAML service provider by node-saml, in lines of JSON: the first line and the questions are those of ../parties, with
// `binding` of a request, and without `encrypted`.
import { createInterface } from 'node:readline'
import { SAML, ValidateInResponseTo } from '@node-saml/node-saml'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const own = JSON.parse((await lines.next()).value)
const store = new Map()
let user

// node-saml reads no metadata: what an administrator copies from it
const location = (service, binding) => {
  const found = own.idp.match(new RegExp(`<[^<>]*${service} [^>]*>`, 'g')).find((text) => text.includes(`:${binding}"`))
  return /Location="([^"]*)"/.exec(found)[1]
}
const certificates = [...own.idp.matchAll(/X509Certificate>\s*([\w+/=\s]+)</g)].map(([, text]) => text.replace(/\s/g, ''))

const saml = (options = {}) =>
  new SAML({
    issuer: own.entity_id,
    callbackUrl: own.acs,
    logoutCallbackUrl: own.slo,
    entryPoint: location('SingleSignOnService', 'HTTP-Redirect'),
    logoutUrl: location('SingleLogoutService', 'HTTP-Redirect'),
    idpIssuer: own.idp_entity,
    idpCert: certificates,
    privateKey: own.key,
    decryptionPvk: own.key,
    signatureAlgorithm: 'sha256',
    digestAlgorithm: 'sha256',
    validateInResponseTo: ValidateInResponseTo.always,
    cacheProvider: {
      saveAsync: async (key, value) => (store.set(key, value), { value, createdAt: Date.now() }),
      getAsync: async (key) => store.get(key) ?? null,
      removeAsync: async (key) => (store.delete(key), key),
    },
    ...options,
  })
const parameters = (query) => Object.fromEntries(new URLSearchParams(query))

const answers = {
  metadata: () => ({ metadata: saml().generateServiceProviderMetadata(own.certificate, own.certificate) }),
  request: async ({ binding = 'redirect', relay_state = '' }) => {
    if (binding === 'redirect') return { url: await saml().getAuthorizeUrlAsync(relay_state, undefined, {}) }
    const entryPoint = location('SingleSignOnService', 'HTTP-POST')
    // it compresses what it posts, too, unless told: saml-bindings-2.0-os section 3.5.4 knows base64 alone
    const posting = saml({ entryPoint, authnRequestBinding: 'HTTP-POST', skipRequestCompression: true })
    return { url: entryPoint, fields: await posting.getAuthorizeMessageAsync(relay_state, undefined, {}) }
  },
  response: async ({ fields }) => {
    const { profile } = await saml().validatePostResponseAsync(fields)
    user = profile
    const attributes = Object.fromEntries(Object.entries(profile.attributes).map(([name, value]) => [name, [value].flat()]))
    return {
      name_id: profile.nameID,
      name_id_format: profile.nameIDFormat,
      session_index: profile.sessionIndex,
      attributes,
      relay_state: fields.RelayState ?? '',
    }
  },
  leave: async () => ({ url: await saml().getLogoutUrlAsync(user, '', {}) }),
  asked: async ({ query }) => {
    const { profile } = await saml().validateRedirectAsync(parameters(query), query)
    return { url: await saml().getLogoutResponseUrlAsync(profile, parameters(query).RelayState ?? '', {}, true) }
  },
  left: async ({ query }) => {
    const { loggedOut } = await saml().validateRedirectAsync(parameters(query), query)
    return loggedOut ? {} : { error: 'nobody was signed out' }
  },
}

for await (const line of lines) {
  const { do: question, ...details } = JSON.parse(line)
  let answer
  try {
    answer = await answers[question](details)
  } catch (error) {
    answer = { error: error.message }
  }
  console.log(JSON.stringify(answer))
}
