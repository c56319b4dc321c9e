"""The sections of a run's configuration, as the schema checks them."""
