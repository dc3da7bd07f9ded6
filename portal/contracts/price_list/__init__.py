"""Keep the price list: products with their prices, and templates of services."""
