"""Load a customer's contracts, prepaid minutes and open time for the engine, and store what pays for each entry."""
