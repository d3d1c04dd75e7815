/*
description: The stages of an UltraCart order, each with the common status that it stands for.
grain: [stage]
materialized: view
columns:
  stage: Stage as the source writes it.
  status: Common status.
checks:
  - unique: [stage]
*/
select
    s.stage,
    s.status
from (
    values
    ('Accounts Receivable', 'pending'),
    ('Pending Clearance', 'pending'),
    ('Fraud Review', 'pending'),
    ('Hold', 'pending'),
    ('Pre-ordered', 'pending'),
    ('Unknown', 'pending'),
    ('Quote Request', 'quote'),
    ('Quote Sent', 'quote'),
    ('Least Cost Routing', 'paid'),
    ('Advanced Order Routing', 'paid'),
    ('Shipping Department', 'paid'),
    ('Completed Order', 'fulfilled'),
    ('Rejected', 'cancelled')
) as s (stage, status)
