-- How many documents there are of each kind, so that no list counts a million rows. Changes are only ever added, so that
-- writers never wait for each other; the sweeper adds them up. The sum is exact in every snapshot.
CREATE TABLE "document_counts" (
    "tenant_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "status" "document_status" NOT NULL,
    "category_id" TEXT,
    "storage_id" TEXT NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),
    "delta" INTEGER NOT NULL,

    CONSTRAINT "document_counts_pkey" PRIMARY KEY ("tenant_id","id")
);

-- The columns are named as those of documents, so that a list's conditions hold for both. Of the trash only that it is.
CREATE FUNCTION documents_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO document_counts (tenant_id, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, count(*)
      FROM after GROUP BY 1, 2, 3, 4, 5;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO document_counts (tenant_id, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, -count(*)
      FROM before GROUP BY 1, 2, 3, 4, 5;
  ELSE
    INSERT INTO document_counts (tenant_id, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, sum(delta)
      FROM (SELECT tenant_id, status, category_id, storage_id, deleted_at, 1 AS delta FROM after
            UNION ALL
            SELECT tenant_id, status, category_id, storage_id, deleted_at, -1 FROM before) AS changed
     GROUP BY 1, 2, 3, 4, 5 HAVING sum(delta) <> 0;
  END IF;
  RETURN NULL;
END $$;

-- TRUNCATE has no rows to count.
CREATE FUNCTION documents_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM document_counts;
  RETURN NULL;
END $$;

CREATE TRIGGER documents_count_inserted AFTER INSERT ON documents REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION documents_count();
CREATE TRIGGER documents_count_updated AFTER UPDATE ON documents REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION documents_count();
CREATE TRIGGER documents_count_deleted AFTER DELETE ON documents REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION documents_count();
CREATE TRIGGER documents_count_truncated AFTER TRUNCATE ON documents FOR EACH STATEMENT EXECUTE FUNCTION documents_count_none();

-- After the triggers: making them waited for every writer, and none comes before this is committed.
INSERT INTO document_counts (tenant_id, status, category_id, storage_id, deleted_at, delta)
SELECT tenant_id, status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, count(*)
  FROM documents GROUP BY 1, 2, 3, 4, 5;
