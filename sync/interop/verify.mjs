// Reads sync/testdata as a stranger would: with COSE, CBOR, zstd and age
// implementations that are not ours and know nothing of us, by what FORMAT.md says.
// Run by `make test-interop`. Exits 1 at the first disagreement.
import { createHash, webcrypto as crypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Sign1 } from '@auth0/cose'
import { Decrypter } from 'age-encryption'
import { decode, decodeSequence, encode, cdeDecodeOptions, cdeEncodeOptions } from 'cbor2'
import * as zstd from '@bokuweb/zstd-wasm'

const data = new URL('../testdata/', import.meta.url)
const hex = (b) => Buffer.from(b).toString('hex')
const bytes = (s) => new Uint8Array(Buffer.from(s, 'hex'))
const sha256 = (b) => new Uint8Array(createHash('sha256').update(b).digest())
const check = (ok, what) => { if (!ok) throw new Error(what) }
const same = (a, b, what) => check(hex(a) === hex(b), `${what}: ${hex(a)} is not ${hex(b)}`)

// Deterministic CBOR (RFC 8949 §4.2.1) or nothing: the strict reader refuses the rest,
// and what it read is written back.
function strict (raw, what) {
  const item = decode(raw, { ...cdeDecodeOptions, rejectDuplicateKeys: true })
  same(encode(item, cdeEncodeOptions), raw, what)
  return item
}

const key = async (pub) => crypto.subtle.importKey('jwk', {
  kty: 'OKP', crv: 'Ed25519', x: Buffer.from(pub).toString('base64url')
}, { name: 'Ed25519' }, false, ['verify'])

const types = {
  bundle: 'application/ironfeet-bundle+cbor',
  certificate: 'application/ironfeet-certificate+cbor',
  attestation: 'application/ironfeet-attestation+cbor',
  receipt: 'application/ironfeet-receipt+cbor',
  request: 'application/ironfeet-request+cbor'
}

// A signed message (section 2): its payload if it is of this type and this key signed it.
async function message (raw, type, pub) {
  const tagged = decode(raw)
  check(tagged.tag === 18 && tagged.contents.length === 4, 'COSE_Sign1 is tag 18 over four things')
  const [wrapped, open, payload] = tagged.contents
  const head = strict(wrapped, 'protected headers')
  check(head.size === 3 && head.get(1) === -8 && head.get(3) === type, `headers of a ${type}`)
  check((open instanceof Map ? open.size : Object.keys(open).length) === 0, 'no unprotected headers')
  same(head.get(4), sha256(pub).slice(0, 8), 'key id')
  await Sign1.decode(raw).verify(await key(pub))
  return strict(payload, 'payload')
}

const hash = (h) => { check(h[0] === -16 && h[1].length === 32, 'a hash is [-16, 32 bytes]'); return h[1] }
const dictionaries = { 1: readFileSync(new URL('../../assets/dictionary/1.bin', import.meta.url)) }

async function bundle (raw, pub, tips) {
  const [head, body] = strict(raw, 'bundle')
  const h = await message(head, types.bundle, pub)
  check(h.get(1) === 1 && h.get(8) === 1, 'version and compressor')
  const node = hex(h.get(2))
  check((h.get(3) === 1) === !h.has(5), 'only the first has nothing before it')
  if (h.has(5) && tips[node]) same(hash(h.get(5)), tips[node], 'digest of the bundle before')
  const digest = sha256(head)
  tips[node] = digest
  if (body === null) return { digest }
  check(body.length === h.get(11), 'size of the body')
  same(sha256(body), hash(h.get(12)), 'digest of the body')
  const number = h.get(9) ?? 0
  let plain
  if (number === 0) {
    plain = zstd.decompress(body)
  } else {
    check(dictionaries[number], `dictionary ${number}`)
    plain = zstd.decompressUsingDict(zstd.createDCtx(), body, dictionaries[number])
  }
  check(plain.length === h.get(10), 'expanded size')
  let seq = h.get(3)
  for (const c of decodeSequence(plain)) {
    same(c.get(1), h.get(2), 'node of a change')
    check(c.get(2) === seq++, 'number of a change')
    check(c.get(7) === h.get(6), 'division of a change')
  }
  check(seq - 1 === h.get(4), 'number of changes')
  return { digest, plain }
}

// The records of a carrier (section 8), each bundle and blob checked.
function carrier (raw, want) {
  const records = []
  let rest = raw
  const before = createHash('sha256')
  const counts = [0, 0, 0]
  let blob = null
  let six = null
  while (rest.length > 0) {
    const long = rest[0] & 31
    const extra = long < 24 ? 0 : 1 << (long - 24)
    let size = long
    if (extra > 0) size = Number(BigInt('0x' + hex(rest.slice(1, 1 + extra))))
    const record = rest.slice(0, 1 + extra + size)
    rest = rest.slice(record.length)
    const [kind, content] = strict(decode(record), 'record')
    records.push(kind)
    if (kind === 1) counts[0]++
    if (kind === 2) counts[1]++
    if (kind === 3) { counts[2]++; blob = { digest: hash(content[0]), left: content[1], sum: createHash('sha256') } }
    if (kind === 4) {
      blob.sum.update(content)
      blob.left -= content.length
      if (blob.left === 0) same(blob.sum.digest(), blob.digest, 'a blob')
    }
    if (kind === 9) {
      const sum = before.digest()
      same(hash(content.get(4)), sum, 'digest of the records')
      check([1, 2, 3].every((k, i) => content.get(k) === counts[i]), 'counts')
      six = String(sum.readBigUInt64BE(0) % 1000000n).padStart(6, '0')
      if (want) same(sum, bytes(want), 'digest of a carrier')
    } else {
      before.update(record)
    }
  }
  check(records[0] === 0 && records.at(-1) === 9, 'first and last record')
  return six
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
function base32 (b, n) {
  const bits = [...b].map((x) => x.toString(2).padStart(8, '0')).join('')
  return Array.from({ length: n }, (_, i) => crockford[parseInt(bits.slice(5 * i, 5 * i + 5), 2)]).join('')
}

function invitation (code, root) {
  const [server, secret] = code.split('#')
  const plain = secret.replaceAll('-', '')
  check(plain.slice(0, 20) === base32(sha256(root), 20), 'fingerprint')
  check(plain.slice(32) === base32(sha256(Buffer.from(`ironfeet invitation 1\n${server}\n${plain.slice(0, 32)}`)), 4), 'checksum')
}

await zstd.init()
let checked = 0
for (const name of ['vectors.json', 'kept.json']) {
  const file = JSON.parse(readFileSync(new URL(name, data)))
  const root = bytes(file.vectors.find((v) => v.what === 'certificate').public)
  const tips = {}
  for (const v of file.vectors) {
    const raw = bytes(v.hex)
    const pub = v.public ? bytes(v.public) : null
    switch (v.what) {
      case 'bundle': {
        const b = await bundle(raw, pub, tips)
        same(b.digest, bytes(v.digest), v.name)
        break
      }
      case 'certificate': {
        const c = await message(raw, types.certificate, root)
        check(c.get(5).get(1) === 1 && c.get(5).get(-1) === 6 && c.get(5).get(-2).length === 32, 'COSE_Key')
        break
      }
      case 'attestation':
      case 'receipt':
        await message(raw, types[v.what], pub)
        break
      case 'request': {
        same(Buffer.from(v.text.replace('Ironfeet ', ''), 'base64'), raw, 'header')
        const about = encode([types.request, 'POST', '/v1/pull'], cdeEncodeOptions)
        await Sign1.decode(raw).verify(await key(pub), { externalAAD: about })
        const said = strict(decode(raw).contents[2], 'payload')
        same(hash(said[3]), sha256(bytes(v.body)), 'digest of the body')
        break
      }
      case 'enrol':
      case 'enrolled':
        strict(raw, v.name)
        break
      case 'invitation':
        invitation(v.text, pub)
        break
      case 'carrier':
        check(v.name.endsWith(carrier(raw, v.digest)), 'six digits')
        break
      default:
        throw new Error(`no such vector: ${v.what}`)
    }
    checked++
  }
  for (const r of file.refused) {
    let fault = null
    try {
      const raw = bytes(r.hex)
      if (r.what === 'bundle') await bundle(raw, bytes(file.vectors.find((v) => v.what === 'bundle').public), {})
      else await message(raw, types[r.what], r.what === 'certificate' ? root : bytes(file.vectors.find((v) => v.what === 'receipt').public))
    } catch (e) { fault = e }
    check(fault, `accepted, but must be refused: ${r.name}`)
    checked++
  }
}

// A whole carrier, encrypted.
const identity = 'AGE-SECRET-KEY-1KZ4TJ4ZLATR3PT0EQKMHWCZ9T7ADVX5DV3CMG4ET92YMYA3XXVWSCG0XX9'
const d = new Decrypter()
d.addIdentity(identity)
carrier(await d.decrypt(readFileSync(new URL('carrier.ironfeet', data))))
checked++

console.log(`${checked} passed, 0 failed`)
