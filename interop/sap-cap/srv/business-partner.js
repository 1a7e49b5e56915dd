// Number ranges, and the customer that a sales role brings with it.
'use strict'

const cds = require('@sap/cds')

module.exports = class extends cds.ApplicationService {
  init() {
    const { A_BusinessPartner, A_Customer } = this.entities
    let partners = 1000
    let addresses = 5000

    this.before('CREATE', A_BusinessPartner, (req) => {
      const partner = req.data
      if (!['1', '2', '3'].includes(partner.BusinessPartnerCategory)) {
        req.reject({ status: 400, code: 'R11/003', message: 'Enter a business partner category', target: 'BusinessPartnerCategory' })
      }
      const now = new Date().toISOString()
      partner.BusinessPartner = String(++partners)
      partner.BusinessPartnerFullName = partner.OrganizationBPName1 ?? `${partner.FirstName ?? ''} ${partner.LastName ?? ''}`.trim()
      Object.assign(partner, { CreationDate: now.slice(0, 10), CreationTime: now.slice(11, 19), LastChangeDate: now.slice(0, 10), LastChangeTime: now.slice(11, 19) })
      const sells = partner.to_BusinessPartnerRole?.some((role) => role.BusinessPartnerRole.startsWith('FLCU'))
      if (sells) partner.Customer = partner.BusinessPartner
      for (const address of partner.to_BusinessPartnerAddress ?? []) {
        address.AddressID = String(++addresses)
        ;[...(address.to_EmailAddress ?? []), ...(address.to_PhoneNumber ?? [])].forEach((way, index) => {
          way.Person ??= ''
          way.OrdinalNumber ||= String(index + 1)
        })
      }
    })

    this.after('CREATE', A_BusinessPartner, async (partner) => {
      if (!partner.Customer) return
      const area = { SalesOrganization: '1710', DistributionChannel: '10', Division: '00', Currency: 'EUR' }
      await INSERT.into(A_Customer).entries({
        Customer: partner.Customer, CustomerName: partner.BusinessPartnerFullName, to_CustomerSalesArea: [area],
      })
    })

    this.before('UPDATE', A_BusinessPartner, (req) => {
      const now = new Date().toISOString()
      Object.assign(req.data, { LastChangeDate: now.slice(0, 10), LastChangeTime: now.slice(11, 19) })
    })

    return super.init()
  }
}
