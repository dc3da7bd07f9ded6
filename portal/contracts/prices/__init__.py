"""Keep prices of services that apply from a date on."""
