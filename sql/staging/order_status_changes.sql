/*
description: >
  The changes of status that order versions tell of with their exact times, all sources in one shape.
  Sources that keep no such history have no branch; core reads theirs from the versions.
grain: [version_id, change_no]
materialized: view
columns:
  version_id: Order version that tells of the change.
  order_key: Slice key of the order; a hash, not an identity.
  source: Kind of API.
  account: Configured account.
  order_id: Order id of the source.
  change_no: Place in the order's own history, from 1.
  from_source_status: Status before as the source wrote it; NULL for the first.
  to_source_status: Status after as the source wrote it.
  from_status: Common status before.
  to_status: Common status after.
  changed_at: Time of the change, UTC; NULL when it cannot be read.
*/
select
    u.version_id,
    u.order_key,
    u.source,
    u.account,
    u.order_id,
    u.change_no,
    u.from_source_status,
    u.to_source_status,
    u.from_status,
    u.to_status,
    u.changed_at
from staging.ultracart_status_changes as u
