//! The emulated account, asked by a client of its own that signs by the vendor's rules.

mod jobs;
mod logon;
mod posting;
mod receipts;
mod records;
mod restlets;
mod sales;
mod soap;
mod tables;
mod town;
