// One account, made anew for each run: keys that Node makes and we only read, and the file that tells a test about it.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'

const KINDS = [
  ['rsa', 'rsa', { modulusLength: 3072 }, ['PS256', 'PS384', 'PS512']],
  ['p256', 'ec', { namedCurve: 'P-256' }, ['ES256']],
  ['p384', 'ec', { namedCurve: 'P-384' }, ['ES384']],
  ['p521', 'ec', { namedCurve: 'P-521' }, ['ES512']],
]

export const ALGORITHMS = KINDS.flatMap(([, , , algorithms]) => algorithms)

// Secrets hold characters that a signing key must encode.
const word = (prefix) => prefix + randomBytes(24).toString('base64')

export function makeAccount() {
  const certificates = KINDS.map(([kind, type, options, algorithms]) => {
    const { privateKey, publicKey } = generateKeyPairSync(type, options)
    return { id: `cert-${kind}`, algorithms, publicKey, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
  })
  return {
    realm: '1234567_SB1',
    client_id: randomBytes(32).toString('hex'),
    certificates,
    tba: {
      consumer_key: randomBytes(32).toString('hex'), consumer_secret: word('c&/'),
      token: randomBytes(32).toString('hex'), token_secret: word('t+%'),
    },
  }
}

export function tell(account, file) {
  const certificates = account.certificates.map(({ publicKey, ...told }) => told)
  writeFileSync(file, JSON.stringify({ ...account, certificates }, null, 1), { mode: 0o600 })
}
