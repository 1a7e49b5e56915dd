// Proves that the server behaves as README.md says, before any Rust is pointed at it. SAP_CAP_URL names the server.
import assert from 'node:assert/strict'

const root = process.env.SAP_CAP_URL
const basic = 'Basic ' + Buffer.from(`${process.env.SAP_CAP_USER}:${process.env.SAP_CAP_PASSWORD}`).toString('base64')
const orders = '/sap/opu/odata/sap/API_SALES_ORDER_SRV'
const stock = '/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV'
const partners = '/sap/opu/odata/sap/API_BUSINESS_PARTNER'
let session = {}

const send = (method, path, { body, headers = {} } = {}) => fetch(new URL(path, root), {
  method, body, headers: { authorization: basic, accept: 'application/json', ...headers },
})
const write = (method, path, body, headers = {}) => send(method, path, {
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...session, ...headers },
})
const data = async (answer, status) => {
  const text = await answer.text()
  assert.equal(answer.status, status, text)
  return text ? JSON.parse(text).d : undefined
}
const order = (reference, material = 'TG12') => ({
  SalesOrderType: 'OR', SalesOrganization: '1710', DistributionChannel: '10', OrganizationDivision: '00',
  SoldToParty: '17100001', PurchaseOrderByCustomer: reference, RequestedDeliveryDate: '/Date(1767225600000)/',
  to_Item: [
    { Material: 'TG11', RequestedQuantity: '3', to_PricingElement: [
      { ConditionType: 'PMP0', ConditionRateValue: '10.01' }, { ConditionType: 'DRM0', ConditionRateValue: '0.03' }] },
    { Material: material, RequestedQuantity: '1' },
  ],
  to_PricingElement: [{ ConditionType: 'HD00', ConditionRateValue: '5' }],
})
const count = async () => Number(await (await send('GET', `${orders}/A_SalesOrder/$count`)).text())

const checks = {
  async 'a stranger is refused'() {
    const answer = await fetch(new URL(`${orders}/`, root))
    assert.equal(answer.status, 401)
  },

  async 'a write needs the token and its cookie'() {
    const fetched = await send('HEAD', `${orders}/`, { headers: { 'x-csrf-token': 'Fetch' } })
    const token = fetched.headers.get('x-csrf-token')
    const cookie = fetched.headers.getSetCookie().map((line) => line.split(';')[0]).join('; ')
    for (const part of [{}, { 'x-csrf-token': token }]) {
      session = part
      const refused = await write('POST', `${orders}/A_SalesOrder`, order('T-1'))
      assert.equal(refused.status, 403)
      assert.equal(refused.headers.get('x-csrf-token'), 'Required')
    }
    session = { 'x-csrf-token': token, cookie }
  },

  async 'a deep insert is priced, numbered and answered whole'() {
    const answer = await write('POST', `${orders}/A_SalesOrder`, order('S-1'))
    assert.match(answer.headers.get('location'), /A_SalesOrder\('\d+'\)$/)
    const made = await data(answer, 201)
    assert.equal(made.TotalNetAmount, '60.99')
    const items = made.to_Item.results
    assert.deepEqual(items.map((item) => [item.SalesOrderItem, item.NetAmount]), [['10', '32.68'], ['20', '28.31']])
    assert.deepEqual(made.to_Partner.results.map((row) => row.PartnerFunction).sort(), ['BP', 'PY', 'SH', 'SP'])
  },

  async 'a warning comes with the success'() {
    const answer = await write('POST', `${orders}/A_SalesOrder`, { ...order('S-2'), RequestedDeliveryDate: null })
    assert.equal(JSON.parse(answer.headers.get('sap-message')).severity, 'warning')
    await data(answer, 201)
  },

  async 'refusals carry a code'() {
    for (const [wrong, code] of [[order('S-3', 'NOPE'), 'V1/382'], [order('LOCKED-1'), 'V1/042'],
      [{ ...order('S-4'), SoldToParty: '42' }, 'VP/199']]) {
      const answer = await write('POST', `${orders}/A_SalesOrder`, wrong)
      assert.equal(answer.status, 400)
      assert.equal((await answer.json()).error.code, code)
    }
  },

  async 'a reference is found, also with a quote in it'() {
    await data(await write('POST', `${orders}/A_SalesOrder`, order("O'Hara")), 201)
    const filter = encodeURIComponent("PurchaseOrderByCustomer eq 'O''Hara'")
    const found = await data(await send('GET', `${orders}/A_SalesOrder?$filter=${filter}&$select=SalesOrder`), 200)
    assert.equal(found.results.length, 1)
  },

  async 'pages of five are linked to the end'() {
    for (let made = await count(); made < 12; made += 1) {
      await data(await write('POST', `${orders}/A_SalesOrder`, order(`P-${made}`)), 201)
    }
    let [path, seen, pages] = [`${orders}/A_SalesOrder?$select=SalesOrder&$orderby=SalesOrder`, new Set(), 0]
    while (path && pages < 10) {
      const page = await data(await send('GET', path), 200)
      page.results.forEach((row) => seen.add(row.SalesOrder))
      path = page.__next && page.__next.slice(page.__next.indexOf('/sap/'))
      pages += 1
    }
    assert.deepEqual([seen.size, pages], [await count(), Math.ceil(await count() / 5)])
  },

  async 'an update needs the current etag'() {
    const path = `${orders}/A_SalesOrder('1000001')`
    const etag = (await send('GET', path)).headers.get('etag')
    const patch = async (headers) => (await write('PATCH', path, { DeliveryBlockReason: '01' }, headers)).status
    assert.equal(await patch({}), 428)
    assert.equal(await patch({ 'if-match': 'W/"2020-01-01T00:00:00.000Z"' }), 412)
    assert.equal(await patch({ 'if-match': etag }), 200)
    assert.equal(await patch({ 'if-match': etag }), 412)
    assert.equal(await patch({ 'if-match': '*' }), 200)
  },

  async 'a rejected item changes the total and the etag'() {
    const path = `${orders}/A_SalesOrder('1000001')`
    const item = `${orders}/A_SalesOrderItem(SalesOrder='1000001',SalesOrderItem='20')`
    const before = (await send('GET', path)).headers.get('etag')
    await data(await write('PATCH', item, { SalesDocumentRjcnReason: '16' }), 200)
    const answer = await send('GET', path)
    assert.notEqual(answer.headers.get('etag'), before)
    const held = await data(answer, 200)
    assert.deepEqual([held.TotalNetAmount, held.OverallSDDocumentRejectionSts], ['32.68', 'B'])
  },

  async 'a changeset is kept whole or not at all'() {
    const before = await count()
    const kept = await batch([order('B-1'), order('B-2')])
    assert.equal(kept.match(/HTTP\/1\.1 201/g)?.length, 2, kept)
    assert.equal(await count(), before + 2)
    const refused = await batch([order('B-3'), order('B-4', 'NOPE')])
    assert.equal(refused.match(/HTTP\/1\.1 400/g)?.length, 1, refused)
    assert.equal(refused.match(/HTTP\/1\.1 201/g), null)
    assert.equal(await count(), before + 2)
  },

  async 'stock is exact, and special stock can be left out'() {
    const filter = encodeURIComponent("InventoryStockType eq '01' and InventorySpecialStockType eq '' and Material eq 'RM-20'")
    const rows = await data(await send('GET', `${stock}/A_MatlStkInAcctMod?$filter=${filter}&$inlinecount=allpages`), 200)
    assert.deepEqual(rows.results.map((row) => row.MatlWrhsStkQtyInMatlBaseUnit), ['0.12345678901234', '250.125'])
    assert.equal(rows.__count, '2')
  },

  async 'a partner with a sales role becomes a customer that may buy'() {
    const made = await data(await write('POST', `${partners}/A_BusinessPartner`, {
      BusinessPartnerCategory: '1', FirstName: 'Ada', LastName: 'Example', BusinessPartnerIDByExtSystem: 'shop:9',
      to_BusinessPartnerRole: [{ BusinessPartnerRole: 'FLCU01' }],
      to_BusinessPartnerAddress: [{ Country: 'DE', CityName: 'Ulm', to_EmailAddress: [{ EmailAddress: 'ada@example.org' }] }],
    }), 201)
    assert.ok(made.Customer)
    await data(await write('POST', `${orders}/A_SalesOrder`, { ...order('N-1'), SoldToParty: made.Customer }), 201)
  },
}

async function batch(bodies) {
  const operations = bodies.flatMap((body, index) => [
    '--set', 'Content-Type: application/http', 'Content-Transfer-Encoding: binary', `Content-ID: ${index + 1}`, '',
    'POST A_SalesOrder HTTP/1.1', 'Content-Type: application/json', 'Accept: application/json',
    `Content-Length: ${Buffer.byteLength(JSON.stringify(body))}`, '', JSON.stringify(body),
  ])
  const lines = ['--all', 'Content-Type: multipart/mixed; boundary=set', '', ...operations, '--set--', '--all--', '']
  const answer = await write('POST', `${orders}/$batch`, lines.join('\r\n'), { 'content-type': 'multipart/mixed; boundary=all', accept: 'multipart/mixed' })
  assert.equal(answer.status, 202)
  return answer.text()
}

for (const [name, check] of Object.entries(checks)) {
  await check()
  console.log(`ok: ${name}`)
}
console.log(`${Object.keys(checks).length} checks passed`)
