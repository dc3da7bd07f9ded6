"""Hold what was sold and at what price: the company, contracts, services, case types and rates."""
