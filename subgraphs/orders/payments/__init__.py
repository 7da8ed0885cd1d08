"""Being paid: ``port`` is what orders asks of any provider, ``sandbox`` a provider that takes nobody's money."""
