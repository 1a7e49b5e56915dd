// The part of API_SALES_ORDER_SRV that sap-odata speaks, in SAP's names. Our own model, not SAP's document.

@path: '/sap/opu/odata4/sap/api_sales_order_srv'
@protocol: ['odata-v4', { kind: 'odata-v2', path: '/sap/opu/odata/sap/API_SALES_ORDER_SRV' }]
@requires: 'authenticated-user'
service API_SALES_ORDER_SRV {

  // The page is small, so that a test of a dozen orders already turns pages.
  @cds.query.limit: { default: 5, max: 5 }
  entity A_SalesOrder {
    key SalesOrder                    : String(10);
        SalesOrderType                : String(4);
        SalesOrganization             : String(4);
        DistributionChannel           : String(2);
        OrganizationDivision          : String(2);
        SoldToParty                   : String(10);
        PurchaseOrderByCustomer       : String(35);
        PurchaseOrderByShipToParty    : String(35);
        CustomerPurchaseOrderType     : String(4);
        CustomerPurchaseOrderDate     : Date;
        SalesOrderDate                : Date;
        PricingDate                   : Date;
        RequestedDeliveryDate         : Date;
        CreationDate                  : Date;
        CreatedByUser                 : String(12);
        TransactionCurrency           : String(5);
        TotalNetAmount                : Decimal(16, 3);
        SDDocumentReason              : String(3);
        ShippingCondition             : String(2);
        ShippingType                  : String(2);
        CompleteDeliveryIsDefined     : Boolean;
        IncotermsClassification       : String(3);
        IncotermsLocation1            : String(70);
        CustomerPaymentTerms          : String(4);
        PaymentMethod                 : String(1);
        HeaderBillingBlockReason      : String(2);
        DeliveryBlockReason           : String(2);
        CustomerPriceGroup            : String(2);
        PriceListType                 : String(2);
        AssignmentReference           : String(18);
        AccountingDocExternalReference : String(16);
        OverallDeliveryStatus         : String(1);
        OverallOrdReltdBillgStatus    : String(1);
        OverallSDProcessStatus        : String(1);
        OverallSDDocumentRejectionSts : String(1);
        TotalCreditCheckStatus        : String(1);
        TotalBlockStatus              : String(1);
        SalesDocApprovalStatus        : String(1);
        @odata.etag
        LastChangeDateTime            : Timestamp @cds.on.insert: $now  @cds.on.update: $now;
        to_Item           : Composition of many A_SalesOrderItem on to_Item.SalesOrder = SalesOrder;
        to_Partner        : Composition of many A_SalesOrderHeaderPartner on to_Partner.SalesOrder = SalesOrder;
        to_PricingElement : Composition of many A_SalesOrderHeaderPrElement on to_PricingElement.SalesOrder = SalesOrder;
        to_Text           : Composition of many A_SalesOrderText on to_Text.SalesOrder = SalesOrder;
  }

  entity A_SalesOrderItem {
    key SalesOrder                  : String(10);
    key SalesOrderItem              : String(6);
        HigherLevelItem             : String(6);
        SalesOrderItemCategory      : String(4);
        SalesOrderItemText          : String(40);
        PurchaseOrderByCustomer     : String(35);
        UnderlyingPurchaseOrderItem : String(6);
        Material                    : String(40);
        MaterialByCustomer          : String(35);
        PricingDate                 : Date;
        RequestedQuantity           : Decimal(15, 3);
        RequestedQuantityUnit       : String(3);
        RequestedQuantitySAPUnit    : String(3);
        RequestedQuantityISOUnit    : String(3);
        ConfdDelivQtyInOrderQtyUnit : Decimal(15, 3);
        TransactionCurrency         : String(5);
        NetAmount                   : Decimal(16, 3);
        TaxAmount                   : Decimal(16, 3);
        ProductionPlant             : String(4);
        StorageLocation             : String(4);
        ShippingPoint               : String(4);
        DeliveryPriority            : String(2);
        SalesDocumentRjcnReason     : String(2);
        ItemBillingBlockReason      : String(2);
        DeliveryStatus              : String(1);
        OrderRelatedBillingStatus   : String(1);
        SDProcessStatus             : String(1);
        to_SalesOrder     : Association to one A_SalesOrder on to_SalesOrder.SalesOrder = SalesOrder;
        to_PricingElement : Composition of many A_SalesOrderItemPrElement
                              on  to_PricingElement.SalesOrder     = SalesOrder
                              and to_PricingElement.SalesOrderItem = SalesOrderItem;
        to_Text           : Composition of many A_SalesOrderItemText
                              on  to_Text.SalesOrder     = SalesOrder
                              and to_Text.SalesOrderItem = SalesOrderItem;
  }

  entity A_SalesOrderHeaderPartner {
    key SalesOrder      : String(10);
    key PartnerFunction : String(2);
        PartnerFunctionInternalCode : String(2);
        Customer        : String(10);
        Supplier        : String(10);
        Personnel       : String(8);
        ContactPerson   : String(10);
        to_Address      : Composition of many A_SalesOrderPartnerAddress
                            on  to_Address.SalesOrder      = SalesOrder
                            and to_Address.PartnerFunction = PartnerFunction;
  }

  // Not creatable in S/4: the handlers make a row per partner, and a client changes it.
  entity A_SalesOrderPartnerAddress {
    key SalesOrder                : String(10);
    key PartnerFunction           : String(2);
    key AddressRepresentationCode : String(1);
        AddresseeFullName         : String(80);
        OrganizationName1         : String(40);
        StreetName                : String(60);
        StreetSuffixName          : String(40);
        HouseNumber               : String(10);
        PostalCode                : String(10);
        CityName                  : String(40);
        Region                    : String(3);
        Country                   : String(3);
        CorrespondenceLanguage    : String(2);
        EmailAddress              : String(241);
        PhoneNumber               : String(30);
  }

  aspect Condition {
        ConditionType               : String(4);
        ConditionRateValue          : Decimal(24, 9);
        ConditionCurrency           : String(5);
        ConditionQuantity           : Decimal(5, 0);
        ConditionQuantityUnit       : String(3);
        ConditionAmount             : Decimal(16, 3);
        ConditionBaseValue          : Decimal(24, 9);
        ConditionIsManuallyChanged  : Boolean;
        ConditionIsForStatistics    : Boolean;
        ConditionInactiveReason     : String(1);
  }

  entity A_SalesOrderHeaderPrElement : Condition {
    key SalesOrder              : String(10);
    key PricingProcedureStep    : String(3);
    key PricingProcedureCounter : String(3);
  }

  entity A_SalesOrderItemPrElement : Condition {
    key SalesOrder              : String(10);
    key SalesOrderItem          : String(6);
    key PricingProcedureStep    : String(3);
    key PricingProcedureCounter : String(3);
  }

  entity A_SalesOrderText {
    key SalesOrder : String(10);
    key Language   : String(2);
    key LongTextID : String(4);
        LongText   : LargeString;
  }

  entity A_SalesOrderItemText {
    key SalesOrder     : String(10);
    key SalesOrderItem : String(6);
    key Language       : String(2);
    key LongTextID     : String(4);
        LongText       : LargeString;
  }
}
