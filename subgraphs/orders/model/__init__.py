"""The words of selling, and the decisions that need nothing but them. Pure: no clock, no database, no GraphQL.

cart          what a buyer has gathered; holds no stock, promises no price
checkout      a session from lines to an order, priced and taxed, with stock held aside
hold          what inventory keeps aside for a checkout
completion    a checkout becoming an order, as a saga: reserve, authorize, commit the stock (the pivot), confirm
order         what was sold, on whatever channel
fulfilment    the part of an order that one location carries out
payment       one attempt to be paid, as the provider knows it
refusal       a no that carries the facts to go on with
"""
