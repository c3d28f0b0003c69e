// oidc-provider as a company might run it, and an API that takes its tokens, on one TLS port.
//
// Started with one JSON line on stdin: {package, jose, key, cert}. Says {port} when it listens.
// The package has no token exchange (RFC 8693): it is a grant type of our own here, by the
// package's documented registerGrantType. Each exchanged token has a grant of its own, so that
// ending one ends nothing else. What the package itself does with a revoked access token is
// different, and kept as it is: it ends every token of that sign-in.
import { createServer } from 'node:https'
import { createInterface } from 'node:readline/promises'

const [line] = await (async () => {
  const lines = createInterface({ input: process.stdin })
  for await (const text of lines) return [text]
})()
const given = JSON.parse(line)
const { Provider, errors } = await import(given.package)
const { createLocalJWKSet, jwtVerify } = await import(given.jose)

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const LIFETIME = 300

let handle = (request, response) => response.writeHead(503).end()
const server = createServer({ key: given.key, cert: given.cert }, (...both) => handle(...both))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `https://localhost:${server.address().port}`

const actorKeys = [] // of the supervisors whose agents may act
const seen = [] // requests to the API
const everything = ['authorization_code', 'refresh_token', DEVICE, EXCHANGE]
const native = {
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  grant_types: everything,
}

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'taskpass', token_endpoint_auth_method: 'none', ...native },
    { client_id: 'with-secret', client_secret: 's+cret/of the client', ...native },
  ],
  scopes: ['openid', 'offline_access', 'read', 'write'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  features: {
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => resourceServer(resource),
      useGrantedResource: () => true,
    },
  },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: true }),
  }),
  extraTokenClaims: (ctx) => ctx?.state.exchanged,
  rotateRefreshToken: true,
  conformIdTokenClaims: false,
  ttl: { AccessToken: LIFETIME, IdToken: LIFETIME, RefreshToken: 86400, Grant: 86400,
    Session: 86400, Interaction: 600, DeviceCode: 600, AuthorizationCode: 60 },
})

function resourceServer (resource) {
  if (!resource.startsWith(issuer)) throw new errors.InvalidTarget()
  const jwt = resource.endsWith('/jwt')
  return {
    scope: 'read write',
    accessTokenFormat: jwt ? 'jwt' : 'opaque',
    accessTokenTTL: LIFETIME,
    ...(jwt && { jwt: { sign: { alg: 'RS256' } } }),
  }
}

provider.registerGrantType(EXCHANGE, async (ctx) => {
  const { params, client } = ctx.oidc
  const subject = await provider.AccessToken.find(params.subject_token)
  if (!subject || subject.clientId !== client.clientId) {
    throw new errors.InvalidGrant('subject_token')
  }
  let actor
  for (const keys of actorKeys) {
    try {
      actor = (await jwtVerify(params.actor_token, keys, {
        audience: issuer, algorithms: ['ES256'], requiredClaims: ['exp', 'jti', 'sub'],
      })).payload
    } catch {}
  }
  if (!actor) throw new errors.InvalidRequest('actor_token')
  if (!params.resource) throw new errors.InvalidTarget()
  const info = resourceServer(params.resource)
  const scope = params.scope || 'read'
  if (!scope.split(' ').every((one) => ['read', 'write'].includes(one))) {
    throw new errors.InvalidScope('not one of this API', scope)
  }
  const grant = new provider.Grant({ accountId: subject.accountId, clientId: client.clientId })
  grant.addResourceScope(params.resource, scope)
  const token = new provider.AccessToken({
    accountId: subject.accountId, client, grantId: await grant.save(), gty: 'token_exchange', scope,
  })
  token.resourceServer = new provider.ResourceServer(params.resource, info)
  const details = params.authorization_details && JSON.parse(params.authorization_details)
  const { sub, act, txn } = actor
  ctx.state.exchanged = { act: { sub, ...(act && { act }) }, txn, ...(details && { details }) }
  ctx.oidc.entity('AccessToken', token)
  ctx.body = {
    access_token: await token.save(),
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: LIFETIME,
    scope,
  }
}, ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type',
  'requested_token_type', 'resource', 'audience', 'scope', 'authorization_details'])

const issued = new Set() // every token that left, by any grant
provider.on('grant.success', (ctx) => {
  for (const name of ['access_token', 'refresh_token', 'id_token']) {
    if (ctx.body[name]) issued.add(ctx.body[name])
  }
})
const callback = provider.callback()

async function api (request, response) {
  const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '')
  const token = bearer && await provider.AccessToken.find(bearer)
  const wanted = request.method === 'GET' ? 'read' : 'write'
  let status = 200
  if (!token?.isValid) status = 401
  else if (token.aud !== issuer || !(token.scope ?? '').split(' ').includes(wanted)) status = 403
  const { act, txn, details } = token?.extra ?? {}
  const told = { request: `${request.method} ${request.url}`, status, bearer,
    sub: token?.accountId, scope: token?.scope, act, txn, details }
  seen.push(told)
  const body = JSON.stringify(status === 200 ? { hello: told.sub, for: told.act?.sub } : { status })
  response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

async function live (accountId) {
  const kinds = []
  for (const value of issued) {
    for (const model of [provider.AccessToken, provider.RefreshToken]) {
      const token = await model.find(value)
      if (token?.isValid && token.accountId === accountId) kinds.push(token.kind)
    }
  }
  return kinds
}

async function backstage (request, response) {
  let text = ''
  for await (const piece of request) text += piece
  if (request.url === '/test/keys') actorKeys.push(createLocalJWKSet(JSON.parse(text)))
  const answers = {
    '/test/keys': () => ({}),
    '/test/seen': () => seen,
    '/test/issued': () => [...issued],
  }
  const body = await (answers[request.url] ?? (() => live(request.url.split('/').pop())))()
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

handle = (request, response) => {
  if (request.url.startsWith('/api/')) return api(request, response)
  if (request.url.startsWith('/test/')) return backstage(request, response)
  return callback(request, response)
}
console.log(JSON.stringify({ port: server.address().port }))
