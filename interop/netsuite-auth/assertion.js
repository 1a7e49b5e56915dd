// Client assertions (RFC 7523), verified by jose; what NetSuite asks beyond that is checked here.
import { errors, jwtVerify } from 'jose'
import { ALGORITHMS } from './account.js'
import { Refused } from './refused.js'

const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const SCOPES = ['rest_webservices', 'restlets', 'suite_analytics']
const LIFE_SECONDS_MAX = 3600
const SKEW_SECONDS = 5
const used = new Set()

// Gives the algorithm and the scopes.
export async function verifyAssertion(account, audience, form) {
  if (form.get('grant_type') !== 'client_credentials') throw new Refused('grant_type')
  if (form.get('client_assertion_type') !== TYPE) throw new Refused('client_assertion_type')
  const keyOf = ({ kid, alg }) => {
    const certificate = account.certificates.find(({ id }) => id === kid)
    if (!certificate) throw new Refused(kid === undefined ? 'no kid' : 'unknown kid')
    if (!certificate.algorithms.includes(alg)) throw new Refused('alg is not the certificate\'s')
    return certificate.publicKey
  }
  const { payload, protectedHeader } = await jwtVerify(form.get('client_assertion') ?? '', keyOf, {
    algorithms: ALGORITHMS,
    typ: 'JWT',
    issuer: account.client_id,
    audience,
    clockTolerance: SKEW_SECONDS,
    maxTokenAge: LIFE_SECONDS_MAX,
    requiredClaims: ['iss', 'aud', 'iat', 'exp', 'scope'],
  }).catch((error) => { throw error instanceof errors.JOSEError ? new Refused(reason(error)) : error })
  if (typeof payload.aud !== 'string') throw new Refused('aud is no text')
  if (payload.exp - payload.iat > LIFE_SECONDS_MAX) throw new Refused('exp is too far from iat')
  const scopes = Array.isArray(payload.scope) ? payload.scope : String(payload.scope).split(',')
  if (scopes.length === 0 || !scopes.every((scope) => SCOPES.includes(scope))) throw new Refused('scope')
  if (payload.jti !== undefined) {
    if (used.has(payload.jti)) throw new Refused('jti was used')
    used.add(payload.jti)
  }
  return { algorithm: protectedHeader.alg, scopes }
}

const reason = (error) => [error.code, error.claim].filter((part) => part && part !== 'unspecified').join(' ')
