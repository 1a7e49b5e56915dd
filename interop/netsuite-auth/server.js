// A token endpoint, and enough of REST and SuiteQL to be asked something, on loopback. Who is let in is decided by jose
// and oauth-1.0a. NETSUITE_AUTH_ACCOUNT and NETSUITE_AUTH_LOG name the files of README.md; PORT is where it listens.
import { randomBytes } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { SignJWT, errors, jwtVerify } from 'jose'
import { makeAccount, tell } from './account.js'
import { verifyAssertion } from './assertion.js'
import { Refused } from './refused.js'
import { verifySignature } from './signature.js'

const TOKEN_PATH = '/services/rest/auth/oauth2/v1/token'
const SUITEQL_PATH = '/services/rest/query/v1/suiteql'
const RESTLET_PATH = '/app/site/hosting/restlet.nl'
const BODY_BYTES_MAX = 64 * 1024
const TOKEN_SECONDS = 3600

const account = makeAccount()
const own = randomBytes(32)
const issuer = 'https://system.netsuite.com'

// One line per request that was verified: method, path without query, how it was signed. No header, no body.
function log(method, path, scheme) {
  const file = process.env.NETSUITE_AUTH_LOG
  if (file) appendFileSync(file, `${method} ${path} ${scheme}\n`)
}

async function issue(request, url, body) {
  const form = new URLSearchParams(body)
  const { algorithm, scopes } = await verifyAssertion(account, url.origin + TOKEN_PATH, form)
  log(request.method, url.pathname, algorithm)
  const token = await new SignJWT({ scope: scopes, log_on: algorithm })
    .setProtectedHeader({ typ: 'JWT', alg: 'HS256' }).setIssuer(issuer).setIssuedAt()
    .setAudience([`APP;${account.realm}`, account.client_id]).setSubject('1000;77').setExpirationTime(`${TOKEN_SECONDS}s`)
    .sign(own)
  return [200, { access_token: token, expires_in: String(TOKEN_SECONDS), token_type: 'Bearer' }]
}

// How somebody logged on, as it stands in the answer of a query.
async function enter(request, url) {
  const [, kind, credential] = /^(Bearer|OAuth) (.*)$/.exec(request.headers.authorization ?? '') ?? []
  if (kind === 'OAuth') {
    verifySignature(account, request.method, url.origin + request.url, credential)
    log(request.method, url.pathname, 'HMAC-SHA256')
    return 'HMAC-SHA256'
  }
  if (kind !== 'Bearer') throw new Refused('no credential')
  const verified = await jwtVerify(credential, own, { algorithms: ['HS256'], issuer, audience: account.client_id })
    .catch((error) => { throw error instanceof errors.JOSEError ? new Refused(`bearer ${error.code}`) : error })
  const scope = url.pathname === RESTLET_PATH ? 'restlets' : 'rest_webservices'
  if (!verified.payload.scope.includes(scope)) throw new Refused(`bearer without ${scope}`)
  log(request.method, url.pathname, 'Bearer')
  return verified.payload.log_on
}

// The answer tells what arrived, so that a test can see that nothing was lost on the way.
function answer(request, url, body, logOn) {
  if (url.pathname !== SUITEQL_PATH) return [200, { target: request.url, log_on: logOn }]
  const [limit, offset] = ['limit', 'offset'].map((name) => Number(url.searchParams.get(name)))
  if (request.method !== 'POST' || request.headers.prefer !== 'transient' || !JSON.parse(body).q) {
    return problem(400, 'INVALID_REQUEST', 'a query is a POST of q with Prefer: transient')
  }
  const row = { links: [], limit: String(limit), offset: String(offset), log_on: logOn }
  return [200, { links: [], count: 1, hasMore: false, items: [row], offset, totalResults: offset + 1 }]
}

function problem(status, code, detail) {
  return [status, { title: detail, status, 'o:errorDetails': [{ detail, 'o:errorCode': code }] }]
}

async function read(request) {
  const parts = []
  let length = 0
  for await (const part of request) {
    length += part.length
    if (length > BODY_BYTES_MAX) throw new Refused('the body is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString()
}

async function handle(request) {
  // Scheme, host and path as they came over the wire: whoever signed something else is not let in.
  const url = new URL(`http://${request.headers.host}${request.url}`)
  const issues = request.method === 'POST' && url.pathname === TOKEN_PATH
  try {
    const body = await read(request)
    if (issues) return await issue(request, url, body)
    return answer(request, url, body, await enter(request, url))
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    if (issues) return [400, { error: 'invalid_client', error_description: error.message }]
    return problem(401, 'INVALID_LOGIN', error.message)
  }
}

const server = createServer(async (request, response) => {
  const [status, body] = await handle(request).catch((error) => problem(500, 'UNEXPECTED_ERROR', error.stack))
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
})
tell(account, process.env.NETSUITE_AUTH_ACCOUNT)
server.listen(Number(process.env.PORT), '127.0.0.1')
