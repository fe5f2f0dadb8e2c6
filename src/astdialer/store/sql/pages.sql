-- name: contacts_page
SELECT c.* FROM contacts c INDEXED BY contacts_of_campaign
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id AND c.id > :after ORDER BY c.id LIMIT :limit

-- name: contacts_at
SELECT c.* FROM contacts c INDEXED BY contacts_of_campaign
CROSS JOIN uploads u ON u.id = c.upload_id AND u.state = 'published'
WHERE c.campaign_id = :campaign_id ORDER BY c.id LIMIT :limit OFFSET :offset

-- name: attempts_of_contacts
SELECT * FROM attempts INDEXED BY attempts_of_contact
WHERE contact_id IN (SELECT value FROM json_each(:ids)) ORDER BY contact_id, created_at

-- name: base_dates
SELECT id, created_at FROM bases WHERE campaign_id = :campaign_id
