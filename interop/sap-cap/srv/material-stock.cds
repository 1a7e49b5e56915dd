// The part of API_MATERIAL_STOCK_SRV that sap-odata reads, in SAP's names. Read-only, as in S/4.

@path: '/sap/opu/odata4/sap/api_material_stock_srv'
@protocol: ['odata-v4', { kind: 'odata-v2', path: '/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV' }]
@requires: 'authenticated-user'
service API_MATERIAL_STOCK_SRV {

  @readonly
  entity A_MaterialStock {
    key Material         : String(40);
        MaterialBaseUnit : String(3);
        to_MatlStkInAcctMod : Association to many A_MatlStkInAcctMod on to_MatlStkInAcctMod.Material = Material;
  }

  @readonly
  @cds.query.limit: { default: 5, max: 5 }
  entity A_MatlStkInAcctMod {
    key Material                     : String(40);
    key Plant                        : String(4);
    key StorageLocation              : String(4);
    key Batch                        : String(10);
    key Supplier                     : String(10);
    key Customer                     : String(10);
    key WBSElementInternalID         : String(24);
    key SDDocument                   : String(10);
    key SDDocumentItem               : String(6);
    key InventorySpecialStockType    : String(1);
    key InventoryStockType           : String(2);
        MatlWrhsStkQtyInMatlBaseUnit : Decimal(31, 14);
        MaterialBaseUnit             : String(3);
  }
}
