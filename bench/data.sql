-- The benchmark's data: two tenants, 200 categories, :documents documents with three files each, 20,000 shares.
-- 60 % of the documents are APPROVED and 70 % carry the tag "kyc".
SET synchronous_commit = off;
INSERT INTO categories (tenant_id, id, created_by, created_at, updated_at, name, parent_id)
SELECT tenant, 'CATEGORY-' || lpad(n::text, 6, '0'), :user, '2026-01-01', '2026-01-01', 'Category ' || n,
       CASE WHEN n >= 10 THEN 'CATEGORY-' || lpad((n % 10)::text, 6, '0') END
  FROM unnest(:tenants) AS tenant, generate_series(0, 99) AS n ORDER BY n;

INSERT INTO documents (tenant_id, id, created_by, created_at, updated_at, name, description, category_id, storage_id, tags, metadata, status, rejection_reason)
SELECT (:tenants)[1 + n % 2], 'DOCUMENT-' || lpad(n::text, 10, '0'), :user, at, at,
       (ARRAY['Passport', 'Proof of address', 'Bank statement', 'Loan contract', 'Certificate'])[1 + n % 5] || ' of customer ' || md5(n::text),
       'Received by mail', 'CATEGORY-' || lpad((n / 2 % 100)::text, 6, '0'), 'STORAGE-DEFAULT',
       CASE WHEN n / 2 % 10 < 7 THEN ARRAY['kyc', 'year-' || 2000 + n % 26] ELSE ARRAY['other', 'size-' || n % 9] END,
       jsonb_build_object('customer', n, 'checked', n % 3 = 0),
       (ARRAY['APPROVED', 'APPROVED', 'APPROVED', 'PENDING', 'REJECTED'])[1 + n / 2 % 5]::document_status,
       CASE WHEN n / 2 % 5 = 4 THEN 'Not readable' END
  FROM generate_series(0, :documents - 1) AS n, LATERAL (SELECT timestamptz '2025-01-01 00:00:00Z' + n * interval '25.007 seconds' AS at) AS moment;

INSERT INTO files (tenant_id, id, created_by, created_at, updated_at, document_id, storage_id, name, content_type, declared_type, size, sha256, state, object_key)
SELECT d.tenant_id, replace(d.id, 'DOCUMENT', 'FILE') || '-' || k, d.created_by, d.created_at, d.created_at, d.id, d.storage_id,
       'page-' || k || '.pdf', 'application/pdf', 'application/pdf', 1000 * k + length(d.name), md5(d.id) || md5(k::text), 'READY', d.id || '/' || k
  FROM documents d, generate_series(1, 3) AS k;

INSERT INTO shares (tenant_id, id, created_by, created_at, updated_at, document_id, token_hash, token, expires_at, label)
SELECT d.tenant_id, 'SHARE-' || lpad(n::text, 12, '0'), d.created_by, d.created_at, d.created_at, d.id,
       sha256(n::text::bytea), '\x00', '2030-01-01', 'For the auditor'
  FROM generate_series(0, 19999) AS n JOIN documents d ON d.id = 'DOCUMENT-' || lpad((n / 2)::text, 10, '0');
VACUUM (ANALYZE);
