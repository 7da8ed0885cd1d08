"""The words of stock, and the decisions that need nothing but them. Pure: no clock, no database, no GraphQL.

on hand      units physically at a location, counted or believed
reserved     of those, held for somebody until a time (a *reservation*)
allocated    of those, promised to an order and not yet handed over or shipped
safety       of those, kept back from sale
quarantined  units that came back and may not be sold as they are; beside on hand, not part of it
free         on hand - reserved - allocated - safety; stored, so that a guard can name it; negative only after a sale
             at a counter took more than the books knew of, or safety was set above what is there
ATP          available to promise: free, never below zero (plus stock on its way, where asked for); to a channel, less
             what is kept from it (*allotment*)
movement     one change of on hand, reserved, allocated or quarantined; the ledger whose sums are the levels
reservation  units held at locations for an owner until ``expires_at``, judged by inventory's clock alone
band         how much there is, as the public may know it
sourcing     which locations give what for an order
"""
