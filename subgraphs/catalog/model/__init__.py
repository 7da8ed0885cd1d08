"""What catalog's experts talk about, as frozen data and pure decisions.

product         something with a page: a title, a brand, a category, options. Never sold itself.
variant         what is sold: one combination of a product's options, known everywhere by its **SKU**.
channel         a place of sale (a web shop, an app, registers, a marketplace): currencies, countries, a price list.
publication     a product's being for sale on a channel.
price list      prices in one currency, with a *parent* it falls back to.
price           what a variant costs in a context (channel, currency, time), and which rule said so.
quote           a price promised until a time, in a signed token.
facet           a property of found products, with how many have each value.
"""
