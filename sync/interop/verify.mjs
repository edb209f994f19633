// Reads sync/testdata as a stranger would: with COSE, CBOR, zstd and age
// implementations that are not ours and know nothing of us, by what FORMAT.md says.
// Run by `make test-interop`. Exits 1 at the first disagreement.
import { createHash, webcrypto as crypto } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Sign1 } from '@auth0/cose'
import { Decrypter } from 'age-encryption'
import { decode, decodeSequence, encode, Tag, cdeDecodeOptions, cdeEncodeOptions } from 'cbor2'
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
const asset = (name) => readFileSync(new URL(`../../assets/dictionary/${name}`, import.meta.url))
const dictionaries = { 1: asset('1.bin'), 2: asset('2.bin') }
const questions = { 2: asset('2.questions').toString().trim().split('\n').map((q) => q.split(' ')) }

// A folded body (section 3.1): the changes as they were, byte for byte.
function unfold (folded, loose, node, first, place, asks) {
  let at = 0
  let clock = 0n
  let [last, seq, nth, asked, number, kept, young] = [null, first, 0, -1, '', [], 0n]
  const ids = []
  const sums = []
  const keys = []
  let earlier = 0
  const join = (...parts) => Buffer.concat(parts.map((p) => Buffer.from(p)))
  const head = (major, n) => {
    n = BigInt(n)
    const m = major << 5
    if (n < 24n) return Buffer.from([m | Number(n)])
    const size = n < 256n ? 0 : n < 65536n ? 1 : n < 4294967296n ? 2 : 3
    return Buffer.from((m | (24 + size)).toString(16) + n.toString(16).padStart(2 << size, '0'), 'hex')
  }
  const string = (b) => join(head(2, b.length), b)
  const text = (s) => { const b = Buffer.from(s); return join(head(3, b.length), b) }
  const take = (n) => { check(loose.length >= n, 'loose bytes'); const b = loose.slice(0, n); loose = loose.slice(n); return b }
  const peek = () => { // major, argument, where the content begins
    const info = folded[at] & 31
    const extra = info < 24 ? 0 : 1 << (info - 24)
    const n = extra === 0 ? BigInt(info) : BigInt('0x' + hex(folded.slice(at + 1, at + 1 + extra)))
    return [folded[at] >> 5, n, at + 1 + extra]
  }
  const int = () => { const [major, n, next] = peek(); at = next; return major === 1 ? -1n - n : n }
  const uuid = (b) => hex(b).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const id = (b, asText) => asText ? text(uuid(b)) : string(b)
  const meet = (b) => { ids.push(b); if (b[6] >> 4 === 7) young = BigInt('0x' + hex(b.slice(0, 6))); return b }
  meet(node)
  const near = (d) => {
    const ms = young + d
    return meet(join(bytes(ms.toString(16).padStart(12, '0')), take(10)))
  }
  const iso = (ms, minutes) => {
    const zone = Number(minutes)
    const two = (n) => String(Math.trunc(n)).padStart(2, '0')
    return new Date(Number(ms) + zone * 60000).toISOString().slice(0, -1) + (zone < 0 ? '-' : '+') + two(Math.abs(zone) / 60) + ':' + two(Math.abs(zone) % 60)
  }
  const question = () => { // path and type, or null
    if (folded[at] === 0xcf) { at++; nth = Number(int()) }
    if (folded[at] === 0xee) { at++; asked++ } else if (folded[at] === 0xce) { at++; asked += 1 + Number(int()) } else return null
    return join(text(asks[asked][0].replace('#', nth)), text(asks[asked][1]))
  }
  const table = () => {
    const rows = Number(int())
    const wide = Number(int())
    const fronts = Array.from({ length: rows }, () => {
      const front = []
      for (let i = 0; i < wide - 1; i++) {
        const q = question()
        if (q) i++
        front.push(q ?? item())
      }
      return join(...front)
    })
    return join(head(4, rows), ...fronts.map((front) => join(head(4, wide), front, item())))
  }
  const map = (n) => {
    const parts = []
    let before = null
    for (let i = 0; i < n; i++) {
      parts.push(item())
      let value
      if (folded[at] === 0xe7) { at++; value = before } else value = item()
      const sum = before && before.length === 34 && sums.slice(earlier).find((s) => hex(s.digest) === hex(before.slice(2)))
      if (sum && value[0] >> 5 === 0 && sum.size === undefined) sum.size = value
      parts.push(value)
      before = value
    }
    return join(...parts)
  }
  function item () {
    const mark = folded[at]
    if (mark >> 5 === 6 || (mark >> 5 === 7 && mark < 0xf4)) { at++; return marked(mark) }
    const [major, n, next] = peek()
    const from = at
    at = next
    if (major === 2 || major === 3) {
      at += Number(n)
      if (major === 3 && /^[0-9]{17}[^]$/.test(Buffer.from(folded.slice(next, at)).toString())) number = Buffer.from(folded.slice(next, at)).toString()
      return folded.slice(from, at)
    }
    if (major === 4) return join(head(4, n), ...Array.from({ length: Number(n) }, item))
    if (major === 5) return join(head(5, n), map(Number(n)))
    return folded.slice(from, at)
  }
  function marked (mark) {
    const ms = () => clock >> 16n
    switch (mark) {
      case 0xe0: case 0xe1: return id(meet(take(16)), mark === 0xe1)
      case 0xc0: case 0xc1: return id(ids[Number(int())], mark === 0xc1)
      case 0xc2: case 0xc3: return id(near(int()), mark === 0xc3)
      case 0xe2: { const digest = take(32); sums.push({ digest }); return string(digest) }
      case 0xc8: return string(sums[Number(int())].digest)
      case 0xe3: { const k = take(8); if (keys.length < 64) keys.push(k); return string(k) }
      case 0xc9: return string(keys[Number(int())])
      case 0xe4: return string(take(64))
      case 0xc4: return string(item())
      case 0xc5: return head(0, ms() + int())
      case 0xc6: { const at = ms() + int(); return text(iso(at, int())) }
      case 0xca: {
        const n = Number(int())
        const suffix = Buffer.from(item().slice(1)).toString()
        return text(Array.from({ length: n }, () => hex(item().slice(2)) + suffix).join(' '))
      }
      case 0xec: return text(`${number.slice(6, 10)}-${number.slice(10, 12)}-${number.slice(12, 14)}`)
      case 0xe8: return text(place)
      case 0xe9: return head(0, seq)
      case 0xea: return head(0, clock)
      case 0xcb: clock = (ms() + int()) << 16n; return item()
      case 0xeb: clock++; return item()
      case 0xcc: clock = int(); return item()
      case 0xcd: { const b = decode(item()); kept.push(b); sums.push({ digest: sha256(b) }); return item() }
      case 0xd0: return string(kept[Number(int())])
      case 0xe6: return string(kept.at(-1))
      case 0xe5: return string(sha256(kept.at(-1)))
      case 0xed: {
        const list = sums.slice(earlier).filter((s) => s.size).sort((a, b) => hex(a.digest) < hex(b.digest) ? -1 : 1)
        return join(head(4, list.length), ...list.map((s) => join([0xa2, 1], string(s.digest), [2], s.size)))
      }
      case 0xc7: return table()
      case 0xd2: return join([0xd2], item())
      default: throw new Error(`no such mark: ${mark.toString(16)}`)
    }
  }
  const changes = []
  while (at < folded.length) {
    last = item()
    changes.push(last)
    seq++
    earlier = sums.length
    kept = []
  }
  check(loose.length === 0, 'all loose bytes are used')
  return new Uint8Array(join(...changes))
}

async function bundle (raw, pub, tips) {
  const [head, body] = strict(raw, 'bundle')
  const h = await message(head, types.bundle, pub)
  check(h.get(1) === 1 && [1, 2].includes(h.get(8)), 'version and compressor')
  const node = hex(h.get(2))
  check((h.get(3) === 1) === !h.has(5), 'only the first has nothing before it')
  if (h.has(5) && tips[node]) same(hash(h.get(5)), tips[node], 'digest of the bundle before')
  const digest = sha256(head)
  tips[node] = digest
  if (body === null) return { digest }
  check(body.length === h.get(11), 'size of the body')
  same(sha256(body), hash(h.get(12)), 'digest of the body')
  const number = h.get(9) ?? 0
  const expand = (frame) => {
    if (number === 0) return zstd.decompress(frame)
    check(dictionaries[number], `dictionary ${number}`)
    return zstd.decompressUsingDict(zstd.createDCtx(), frame, dictionaries[number])
  }
  let plain
  if (h.get(8) === 1) {
    plain = expand(body)
  } else {
    const start = (body[0] & 31) < 24 ? 1 : 1 + (1 << ((body[0] & 31) - 24))
    const end = start + (start === 1 ? body[0] & 31 : Number(BigInt('0x' + hex(body.slice(1, start)))))
    const frame = new Uint8Array([0x28, 0xb5, 0x2f, 0xfd, ...body.slice(start, end)])
    plain = unfold(expand(frame), body.slice(end), h.get(2), h.get(3), h.get(6), questions[number])
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

// A brief push (section 10.1): the county makes the same bundle of it.
async function brief (raw, pub, want, prev, node, scope) {
  const [kid, payload, signature] = [raw.slice(0, 8), raw.slice(8, 34), raw.slice(34, 98)]
  same(kid, sha256(pub).slice(0, 8), 'key id')
  same(payload.slice(10), sha256(raw.slice(98)).slice(0, 16), 'digest of the body')
  const write = (v) => encode(v, cdeEncodeOptions)
  const proof = write(new Tag(18, [write(new Map([[1, -8], [4, kid]])), new Map(), payload, signature]))
  await Sign1.decode(proof).verify(await key(pub), { externalAAD: write([types.request, 'POST', '/v2/push']) })
  const [[first, more, place, plain, before, headSignature, body]] = strict(raw.slice(98), 'push')
  same(before, prev.slice(0, 4), 'the bundle before')
  const head = write(new Map([
    [1, 1], [2, node], [3, first], [4, first + more], [5, [-16, prev]], [6, typeof place === 'number' ? scope[place] : place], [8, 2], [9, 2], [10, plain],
    [11, body.length], [12, [-16, sha256(body)]]
  ]))
  const message = write(new Tag(18, [write(new Map([[1, -8], [3, types.bundle], [4, kid]])), new Map(), head, headSignature]))
  same(write([message, body]), want, 'the bundle')
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
for (const name of ['vectors.json', 'kept.json', 'kept2.json']) {
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
      case 'brief': {
        const h = strict(decode(decode(bytes(v.body))[0]).contents[2], 'head')
        await brief(raw, pub, bytes(v.body), hash(h.get(5)), h.get(2), ['459921100', '459921100201'])
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
