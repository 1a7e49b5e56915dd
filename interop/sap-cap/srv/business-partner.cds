// A small part of API_BUSINESS_PARTNER, in SAP's names.

@path: '/sap/opu/odata4/sap/api_business_partner'
@protocol: ['odata-v4', { kind: 'odata-v2', path: '/sap/opu/odata/sap/API_BUSINESS_PARTNER' }]
@requires: 'authenticated-user'
service API_BUSINESS_PARTNER {

  @cds.query.limit: { default: 5, max: 5 }
  entity A_BusinessPartner {
    key BusinessPartner              : String(10);
        Customer                     : String(10);
        BusinessPartnerCategory      : String(1);
        BusinessPartnerGrouping      : String(4);
        BusinessPartnerFullName      : String(81);
        FirstName                    : String(40);
        LastName                     : String(40);
        OrganizationBPName1          : String(40);
        OrganizationBPName2          : String(40);
        CorrespondenceLanguage       : String(2);
        SearchTerm1                  : String(20);
        BusinessPartnerIDByExtSystem : String(20);
        BusinessPartnerIsBlocked     : Boolean;
        IsMarkedForArchiving         : Boolean;
        CreationDate                 : Date;
        CreationTime                 : Time;
        LastChangeDate               : Date;
        LastChangeTime               : Time;
        ETag                         : String(26);
        to_BusinessPartnerRole    : Composition of many A_BusinessPartnerRole
                                      on to_BusinessPartnerRole.BusinessPartner = BusinessPartner;
        to_BusinessPartnerAddress : Composition of many A_BusinessPartnerAddress
                                      on to_BusinessPartnerAddress.BusinessPartner = BusinessPartner;
        to_BusinessPartnerTax     : Composition of many A_BusinessPartnerTaxNumber
                                      on to_BusinessPartnerTax.BusinessPartner = BusinessPartner;
        to_Customer               : Association to one A_Customer on to_Customer.Customer = Customer;
  }

  entity A_BusinessPartnerRole {
    key BusinessPartner     : String(10);
    key BusinessPartnerRole : String(6);
  }

  entity A_BusinessPartnerTaxNumber {
    key BusinessPartner : String(10);
    key BPTaxType       : String(4);
        BPTaxNumber     : String(20);
  }

  entity A_BusinessPartnerAddress {
    key BusinessPartner           : String(10);
    key AddressID                 : String(10);
        AddressIDByExternalSystem : String(20);
        FullName                  : String(80);
        StreetName                : String(60);
        StreetSuffixName          : String(40);
        HouseNumber               : String(10);
        PostalCode                : String(10);
        CityName                  : String(40);
        Region                    : String(3);
        Country                   : String(3);
        Language                  : String(2);
        to_EmailAddress : Composition of many A_AddressEmailAddress on to_EmailAddress.AddressID = AddressID;
        to_PhoneNumber  : Composition of many A_AddressPhoneNumber on to_PhoneNumber.AddressID = AddressID;
        to_AddressUsage : Composition of many A_BuPaAddressUsage
                            on  to_AddressUsage.BusinessPartner = BusinessPartner
                            and to_AddressUsage.AddressID       = AddressID;
  }

  entity A_BuPaAddressUsage {
    key BusinessPartner : String(10);
    key AddressID       : String(10);
    key AddressUsage    : String(10);
  }

  entity A_AddressEmailAddress {
    key AddressID             : String(10);
    key Person                : String(10);
    key OrdinalNumber         : String(3);
        IsDefaultEmailAddress : Boolean;
        EmailAddress          : String(241);
  }

  entity A_AddressPhoneNumber {
    key AddressID            : String(10);
    key Person               : String(10);
    key OrdinalNumber        : String(3);
        IsDefaultPhoneNumber : Boolean;
        PhoneNumber          : String(30);
  }

  // S/4 makes the customer when a business partner gets the role; nobody creates it here.
  @Capabilities.InsertRestrictions.Insertable: false
  entity A_Customer {
    key Customer         : String(10);
        CustomerName     : String(80);
        to_CustomerSalesArea : Composition of many A_CustomerSalesArea on to_CustomerSalesArea.Customer = Customer;
  }

  entity A_CustomerSalesArea {
    key Customer                  : String(10);
    key SalesOrganization         : String(4);
    key DistributionChannel       : String(2);
    key Division                  : String(2);
        Currency                  : String(5);
        CustomerPaymentTerms      : String(4);
        CustomerPriceGroup        : String(2);
        PriceListType             : String(2);
        OrderIsBlockedForCustomer : String(2);
  }
}
