// What S/4 does by itself when an order comes in: numbers, partners, prices, status, and its complaints.
'use strict'

const cds = require('@sap/cds')
const { parse, format, divide, cents, times } = require('./exact')

// Material: list price per unit, sales unit.
const MATERIALS = {
  'TG11': ['17.50', 'PC'],
  'TG12': ['25.99', 'PC'],
  'TG13': ['0.10', 'PC'],
  'MZ-FG-C900': ['1249.00', 'PC'],
  'RM-20': ['3.333', 'KG'],
}
// Condition type: how its rate becomes an amount.
const CONDITIONS = {
  PPR0: 'unit price', PMP0: 'unit price', DRM0: 'discount', HD00: 'charge',
}
const PARTNERS = ['SP', 'SH', 'BP', 'PY']
const PARTNER_CODES = { SP: 'AG', SH: 'WE', BP: 'RE', PY: 'RG' }
const TAX = parse('0.19')
// An order whose reference begins so counts as held by another user: it can be read, not written.
const LOCKED = 'LOCKED'

const refuse = (req, code, message, target) => req.reject({ status: 400, code, message, target })
const today = () => new Date().toISOString().slice(0, 10)

module.exports = class extends cds.ApplicationService {
  init() {
    const { A_SalesOrder, A_SalesOrderItem, A_SalesOrderPartnerAddress } = this.entities
    let last = 1_000_000

    this.before('CREATE', A_SalesOrder, async (req) => {
      const order = req.data
      check(req, order)
      await checkSoldTo(req, order)
      order.SalesOrder = String(++last)
      defaults(order)
      number(order)
      price(req, order)
      if (!order.RequestedDeliveryDate) req.warn({ code: 'V1/555', message: 'Order was saved without a requested delivery date', target: 'RequestedDeliveryDate' })
    })

    this.before(['UPDATE', 'DELETE'], A_SalesOrder, async (req) => {
      const key = req.params.at(-1)?.SalesOrder ?? req.data.SalesOrder
      const held = await SELECT.one.from(A_SalesOrder, ['PurchaseOrderByCustomer']).where({ SalesOrder: key })
      refuseIfLocked(req, held)
      for (const field of ['TotalNetAmount', 'OverallSDProcessStatus', 'SoldToParty', 'SalesOrderType']) delete req.data[field]
    })

    this.before('CREATE', A_SalesOrderItem, async (req) => {
      const item = req.data
      const order = await SELECT.one.from(A_SalesOrder).where({ SalesOrder: item.SalesOrder })
      if (!order) return refuse(req, 'V1/302', `Sales order ${item.SalesOrder} does not exist`, 'SalesOrder')
      refuseIfLocked(req, order)
      const held = await SELECT.from(A_SalesOrderItem, ['SalesOrderItem']).where({ SalesOrder: item.SalesOrder })
      const highest = Math.max(0, ...held.map((row) => Number(row.SalesOrderItem)))
      item.SalesOrderItem ||= String(highest + 10)
      checkItem(req, item)
      price(req, { ...order, to_Item: [item], to_PricingElement: [] })
    })

    this.before('UPDATE', A_SalesOrderItem, async (req) => {
      const { SalesOrder } = req.params.at(-1) ?? req.data
      const held = await SELECT.one.from(A_SalesOrder, ['PurchaseOrderByCustomer']).where({ SalesOrder })
      refuseIfLocked(req, held)
    })

    this.after(['CREATE', 'UPDATE', 'DELETE'], A_SalesOrderItem, async (_, req) => {
      await total(req.params.at(-1)?.SalesOrder ?? req.data.SalesOrder)
    })

    this.before('CREATE', A_SalesOrderPartnerAddress, (req) =>
      req.reject({ status: 405, code: '/IWBEP/CM_MGW_RT/000', message: 'Method CREATE_ENTITY is not supported' }))

    const total = async (SalesOrder) => {
      const items = await SELECT.from(A_SalesOrderItem).where({ SalesOrder })
      if (items.length === 0) return
      const open = items.filter((item) => !item.SalesDocumentRjcnReason)
      const sum = open.reduce((all, item) => all + parse(item.NetAmount), 0n)
      const rejected = items.length - open.length
      const OverallSDDocumentRejectionSts = rejected === 0 ? 'A' : open.length === 0 ? 'C' : 'B'
      await UPDATE(A_SalesOrder).set({
        TotalNetAmount: format(sum),
        OverallSDDocumentRejectionSts,
        OverallSDProcessStatus: open.length === 0 ? 'C' : 'A',
        LastChangeDateTime: new Date().toISOString(),
      }).where({ SalesOrder })
    }

    return super.init()
  }
}

function refuseIfLocked(req, order) {
  if (order?.PurchaseOrderByCustomer?.startsWith(LOCKED)) {
    refuse(req, 'V1/042', 'The sales document is currently being processed by user WF-BATCH')
  }
}

function check(req, order) {
  refuseIfLocked(req, order)
  for (const field of ['SalesOrderType', 'SalesOrganization', 'DistributionChannel', 'OrganizationDivision', 'SoldToParty']) {
    if (!order[field]) refuse(req, '00/055', `Fill out all required entry fields: ${field}`, field)
  }
  if (!['OR', 'RE'].includes(order.SalesOrderType)) {
    refuse(req, 'V1/313', `Sales document type ${order.SalesOrderType} is not defined`, 'SalesOrderType')
  }
  if (!order.to_Item?.length) refuse(req, 'V1/566', 'Enter at least one item', 'to_Item')
  for (const item of order.to_Item) checkItem(req, item)
}

function checkItem(req, item) {
  if (!MATERIALS[item.Material]) {
    refuse(req, 'V1/382', `Material ${item.Material} is not defined for sales org. 1710`, 'Material')
  }
  if (parse(item.RequestedQuantity) <= 0n) refuse(req, 'V1/330', 'Enter a quantity', 'RequestedQuantity')
}

async function checkSoldTo(req, order) {
  const held = await SELECT.one.from('API_BUSINESS_PARTNER.A_CustomerSalesArea').where({
    Customer: order.SoldToParty, SalesOrganization: order.SalesOrganization,
    DistributionChannel: order.DistributionChannel, Division: order.OrganizationDivision,
  })
  if (!held) {
    const area = `${order.SalesOrganization} ${order.DistributionChannel} ${order.OrganizationDivision}`
    refuse(req, 'VP/199', `Sold-to party ${order.SoldToParty} not maintained for sales area ${area}`, 'SoldToParty')
  }
}

function defaults(order) {
  order.SalesOrderDate ??= today()
  order.PricingDate ??= order.SalesOrderDate
  order.CreationDate = today()
  order.CreatedByUser = 'COMMUSER'
  order.TransactionCurrency ??= 'EUR'
  Object.assign(order, {
    OverallDeliveryStatus: 'A', OverallOrdReltdBillgStatus: 'A', OverallSDProcessStatus: 'A',
    OverallSDDocumentRejectionSts: 'A', TotalCreditCheckStatus: '', TotalBlockStatus: '', SalesDocApprovalStatus: '',
  })
  for (const field of ['HeaderBillingBlockReason', 'DeliveryBlockReason', 'ShippingCondition']) order[field] ??= ''
  const sent = order.to_Partner ?? []
  const missing = PARTNERS.filter((code) => !sent.some((partner) => partner.PartnerFunction === code))
  order.to_Partner = [...sent, ...missing.map((PartnerFunction) => ({ PartnerFunction, Customer: order.SoldToParty }))]
  for (const partner of order.to_Partner) {
    partner.PartnerFunctionInternalCode = PARTNER_CODES[partner.PartnerFunction] ?? ''
    partner.to_Address = [{ AddressRepresentationCode: '', Country: 'DE' }]
  }
}

function number(order) {
  let highest = 0
  for (const item of order.to_Item) {
    item.SalesOrderItem ||= String(highest + 10)
    highest = Math.max(highest, Number(item.SalesOrderItem))
  }
}

// Prices the items, spreads the header's charges over them, and adds up.
function price(req, order) {
  for (const item of order.to_Item) priceItem(req, order, item)
  spread(req, order)
  let total = 0n
  for (const item of order.to_Item) {
    const net = item.to_PricingElement.reduce((all, element) => all + parse(element.ConditionAmount), 0n)
    item.NetAmount = format(net)
    item.TaxAmount = format(cents(times(net, TAX)))
    total += net
  }
  order.TotalNetAmount = format(total)
}

function priceItem(req, order, item) {
  const [listPrice, unit] = MATERIALS[item.Material]
  const quantity = parse(item.RequestedQuantity)
  item.RequestedQuantityUnit ??= unit
  item.ConfdDelivQtyInOrderQtyUnit = item.RequestedQuantity
  item.TransactionCurrency = order.TransactionCurrency
  item.SalesOrderItemCategory ??= 'TAN'
  Object.assign(item, { DeliveryStatus: 'A', OrderRelatedBillingStatus: 'A', SDProcessStatus: 'A' })
  item.SalesDocumentRjcnReason ??= ''
  const elements = item.to_PricingElement ?? []
  const priced = elements.some((element) => CONDITIONS[element.ConditionType] === 'unit price')
  if (!priced) elements.unshift({ ConditionType: 'PPR0', ConditionRateValue: listPrice })
  item.to_PricingElement = elements
  elements.forEach((element, index) => {
    const rate = parse(element.ConditionRateValue)
    element.ConditionIsManuallyChanged = priced || index > 0
    complete(req, order, element, index)
    element.ConditionAmount = format(amount(element, rate, quantity))
  })
}

function amount(element, rate, quantity) {
  switch (CONDITIONS[element.ConditionType]) {
    case 'unit price': return cents(divide(times(rate, quantity) * parse('1'), parse(element.ConditionQuantity)))
    // The type's sign rule makes a discount negative, whichever sign came.
    case 'discount': return cents(rate < 0n ? rate : -rate)
    default: return cents(rate)
  }
}

function complete(req, order, element, index) {
  if (!CONDITIONS[element.ConditionType]) {
    refuse(req, 'VE/006', `Condition type ${element.ConditionType} is not in the pricing procedure`, 'ConditionType')
  }
  element.PricingProcedureStep ||= String((index + 1) * 10)
  element.PricingProcedureCounter ||= '1'
  element.ConditionQuantity ??= 1
  element.ConditionCurrency ??= order.TransactionCurrency
  element.ConditionIsForStatistics = false
  element.ConditionInactiveReason = ''
}

function spread(req, order) {
  const items = order.to_Item
  const net = (item) => item.to_PricingElement.reduce((all, element) => all + parse(element.ConditionAmount), 0n)
  const weights = items.map(net)
  const whole = weights.reduce((all, weight) => all + weight, 0n)
  ;(order.to_PricingElement ?? []).forEach((element, index) => {
    complete(req, order, element, index)
    const charge = amount(element, parse(element.ConditionRateValue), parse('1'))
    element.ConditionAmount = format(charge)
    element.ConditionIsManuallyChanged = true
    let rest = charge
    items.forEach((item, at) => {
      const share = at === items.length - 1 ? rest : whole === 0n ? 0n : cents(divide(charge * weights[at], whole))
      rest -= share
      item.to_PricingElement.push({
        ...element, PricingProcedureStep: String(900 + index), ConditionAmount: format(share),
      })
    })
  })
}
