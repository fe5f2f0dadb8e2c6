-- name: give_order
INSERT INTO orders (id, kind, body, created_at, expires_at, state, result)
VALUES (:id, :kind, :body, :created_at, :expires_at, :state, :result)

-- name: order
SELECT id, kind, body, created_at, expires_at, state, result FROM orders WHERE id = :id

-- name: new_orders
SELECT id, kind, body, created_at, expires_at, state, result FROM orders INDEXED BY orders_new
WHERE state = 'new' ORDER BY created_at

-- name: set_order
UPDATE orders SET state = :state, result = :result WHERE id = :id

-- name: make_offer
INSERT INTO offers (attempt_id, agent, campaign_id, contact_id, number, made_at, expires_at, answer)
VALUES (:attempt_id, :agent, :campaign_id, :contact_id, :number, :made_at, :expires_at, :answer)

-- name: limit_offer
UPDATE offers SET expires_at = :expires_at WHERE attempt_id = :attempt_id

-- name: offers
SELECT attempt_id, agent, campaign_id, contact_id, number, made_at, expires_at, answer FROM offers
ORDER BY made_at, attempt_id

-- name: answer_offer
UPDATE offers SET answer = :answer WHERE attempt_id = :attempt_id AND answer = ''

-- name: withdraw_offer
DELETE FROM offers WHERE attempt_id = :attempt_id

-- name: forget_orders
DELETE FROM orders WHERE created_at < :before
