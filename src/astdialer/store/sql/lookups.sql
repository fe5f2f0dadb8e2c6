-- name: contact_of_attempt
SELECT contact_id FROM attempts WHERE id = :id
