// Proves that the server lets in what it should and nothing else, with other people's clients, before any Rust is pointed
// at it. NETSUITE_AUTH_URL and NETSUITE_AUTH_ACCOUNT say where it is and who may log on.
import assert from 'node:assert/strict'
import { createHmac, createPrivateKey, generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SignJWT } from 'jose'
import OAuth from 'oauth-1.0a'

const root = process.env.NETSUITE_AUTH_URL
const account = JSON.parse(readFileSync(process.env.NETSUITE_AUTH_ACCOUNT, 'utf8'))
const TOKEN = `${root}/services/rest/auth/oauth2/v1/token`
const QUERY = `${root}/services/rest/query/v1/suiteql?limit=5&offset=10`
const now = () => Math.floor(Date.now() / 1000)
const certificate = (algorithm) => account.certificates.find(({ algorithms }) => algorithms.includes(algorithm))
let checks = 0

async function exchange(algorithm, change = () => {}, broken = (assertion) => assertion) {
  const { id, private_key: pem } = certificate(algorithm) ?? certificate('PS256')
  const it = {
    key: createPrivateKey(pem),
    header: { typ: 'JWT', alg: algorithm, kid: id },
    claims: {
      iss: account.client_id, aud: TOKEN, scope: ['rest_webservices'], iat: now() - 10, exp: now() + 290, jti: randomUUID(),
    },
  }
  change(it)
  const assertion = broken(await new SignJWT(it.claims).setProtectedHeader(it.header).sign(it.key))
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  })
  const answer = await fetch(TOKEN, { method: 'POST', body: form })
  return { status: answer.status, body: await answer.json() }
}

async function query(headers, url = QUERY) {
  const headed = { 'content-type': 'application/json', prefer: 'transient', ...headers }
  const answer = await fetch(url, { method: 'POST', headers: headed, body: JSON.stringify({ q: 'SELECT 1' }) })
  return { status: answer.status, body: await answer.json() }
}

function sign(change = () => {}) {
  const it = { url: QUERY, method: 'POST', realm: account.realm, hash: 'sha256', name: 'HMAC-SHA256' }
  it.secret = account.tba.consumer_secret
  change(it)
  const oauth = new OAuth({
    consumer: { key: account.tba.consumer_key, secret: it.secret },
    signature_method: it.name, realm: it.realm,
    hash_function: (base, key) => createHmac(it.hash, key).update(base).digest('base64'),
  })
  if (it.at) oauth.getTimeStamp = () => it.at
  if (it.nonce) oauth.getNonce = () => it.nonce
  const signed = oauth.authorize({ url: it.url, method: it.method }, { key: account.tba.token, secret: account.tba.token_secret })
  return { authorization: oauth.toHeader(signed).Authorization }
}

function same(told, seen, what) {
  assert.deepEqual(seen, told, what)
  checks += 1
}

for (const algorithm of ['PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512']) {
  const { status, body } = await exchange(algorithm)
  same(200, status, `${algorithm}: ${JSON.stringify(body)}`)
  const asked = await query({ authorization: `Bearer ${body.access_token}` })
  same({ links: [], limit: '5', offset: '10', log_on: algorithm }, asked.body.items?.[0], JSON.stringify(asked.body))
}

const invalid = (claim) => `ERR_JWT_CLAIM_VALIDATION_FAILED ${claim}`
const UNSIGNED = 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED'
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const raised = (assertion) => {
  const [header, , signature] = assertion.split('.')
  const claims = { iss: account.client_id, aud: TOKEN, scope: ['restlets'], iat: now(), exp: now() + 290 }
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}
for (const [reason, change, broken] of [
  ['unknown kid', (it) => { it.header.kid = 'cert-none' }],
  ['no kid', (it) => { delete it.header.kid }],
  [UNSIGNED, (it) => { it.key = other }],
  [UNSIGNED, undefined, raised],
  [invalid('typ'), (it) => { it.header.typ = 'at+jwt' }],
  [invalid('typ'), (it) => { delete it.header.typ }],
  [invalid('iss'), (it) => { it.claims.iss = 'another' }],
  [invalid('aud'), (it) => { it.claims.aud = TOKEN.replace('127.0.0.1', 'localhost') }],
  ['aud is no text', (it) => { it.claims.aud = [TOKEN] }],
  ['ERR_JWT_EXPIRED exp', (it) => { it.claims.exp = now() - 60 }],
  ['ERR_JWT_EXPIRED iat', (it) => { it.claims.iat = now() - 7200 }],
  [invalid('iat'), (it) => { it.claims.iat = now() + 60 }],
  [invalid('iat'), (it) => { delete it.claims.iat }],
  [invalid('exp'), (it) => { delete it.claims.exp }],
  ['exp is too far from iat', (it) => { it.claims.exp = it.claims.iat + 3601 }],
  ['scope', (it) => { it.claims.scope = ['mcp'] }],
  ['scope', (it) => { it.claims.scope = [] }],
  [invalid('scope'), (it) => { delete it.claims.scope }],
]) {
  const { status, body } = await exchange('ES256', change, broken)
  same([400, reason], [status, body.error_description])
}
for (const algorithm of ['RS256', 'RS512']) {
  const { status, body } = await exchange(algorithm)
  same([400, 'ERR_JOSE_ALG_NOT_ALLOWED'], [status, body.error_description], algorithm)
}
const twice = []
await exchange('ES512', undefined, (assertion) => { twice.push(assertion); return assertion })
same('jti was used', (await exchange('ES512', undefined, () => twice[0])).body.error_description)

same('HMAC-SHA256', (await query(sign())).body.items?.[0].log_on)
for (const [reason, change, url, alter = (header) => header] of [
  ['realm', (it) => { it.realm = '1234567-sb1' }],
  ['realm', (it) => { it.realm = undefined }],
  ['oauth_signature_method', (it) => { it.hash = 'sha1'; it.name = 'HMAC-SHA1' }],
  ['oauth_signature', (it) => { it.hash = 'sha1' }],
  ['oauth_signature', (it) => { it.secret = 'another' }],
  ['oauth_signature', (it) => { it.method = 'GET' }],
  ['oauth_signature', (it) => { it.url = QUERY.split('?')[0] }],
  ['oauth_signature', undefined, QUERY.replace('offset=10', 'offset=15')],
  ['oauth_signature', undefined, `${QUERY}&more=1`],
  ['oauth_signature', undefined, QUERY.replace('/v1/', '/v2/')],
  ['oauth_timestamp', (it) => { it.at = now() - 600 }],
  ['oauth_nonce', (it) => { it.nonce = 'short' }],
  ['oauth_consumer_key', undefined, QUERY, (header) => header.replace(account.tba.consumer_key, 'another')],
  ['oauth_token', undefined, QUERY, (header) => header.replace(account.tba.token, 'another')],
  ['oauth_version', undefined, QUERY, (header) => header.replace('"1.0"', '"2.0"')],
  ['the header', undefined, QUERY, (header) => `${header}, oauth_nonce="another"`],
]) {
  const headers = sign(change)
  const { status, body } = await query({ authorization: alter(headers.authorization) }, url)
  same([401, reason], [status, body['o:errorDetails']?.[0].detail])
}
const signed = sign()
same(200, (await query(signed)).status)
same([401, 'oauth_nonce was used'], await query(signed).then(({ status, body }) => [status, body['o:errorDetails'][0].detail]))

same(401, (await query({})).status)
same(401, (await query({ authorization: 'Bearer a.b.c' })).status)
console.log(`${checks} checks passed`)
