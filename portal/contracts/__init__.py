"""What was sold and at what price: our company, contracts with customers, the services in them, case types and rates."""
