-- How many documents carry each tag, by the same columns as document_counts and kept in the same way. A row stands for one
-- tag, in an array of its own, so that a list's condition on one tag holds for both.
CREATE TABLE "document_tag_counts" (
    "tenant_id" UUID NOT NULL,
    "id" BIGSERIAL NOT NULL,
    "tags" TEXT[],
    "status" "document_status" NOT NULL,
    "category_id" TEXT,
    "storage_id" TEXT NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),
    "delta" INTEGER NOT NULL,

    CONSTRAINT "document_tag_counts_pkey" PRIMARY KEY ("tenant_id","id")
);

CREATE INDEX "document_tag_counts_by_tag" ON "document_tag_counts" USING GIN ("tenant_id" uuid_ops, "tags");

CREATE FUNCTION documents_count_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO document_tag_counts (tenant_id, tags, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, ARRAY[tag], status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, count(*)
      FROM after, LATERAL (SELECT DISTINCT unnest(tags) AS tag) AS own GROUP BY 1, 2, 3, 4, 5, 6;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO document_tag_counts (tenant_id, tags, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, ARRAY[tag], status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, -count(*)
      FROM before, LATERAL (SELECT DISTINCT unnest(tags) AS tag) AS own GROUP BY 1, 2, 3, 4, 5, 6;
  ELSE
    INSERT INTO document_tag_counts (tenant_id, tags, status, category_id, storage_id, deleted_at, delta)
    SELECT tenant_id, ARRAY[tag], status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, sum(delta)
      FROM (SELECT tenant_id, tags, status, category_id, storage_id, deleted_at, 1 AS delta FROM after
            UNION ALL
            SELECT tenant_id, tags, status, category_id, storage_id, deleted_at, -1 FROM before) AS changed,
           LATERAL (SELECT DISTINCT unnest(tags) AS tag) AS own
     GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(delta) <> 0;
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION documents_count_none() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM document_counts;
  DELETE FROM document_tag_counts;
  RETURN NULL;
END $$;

CREATE TRIGGER documents_count_tags_inserted AFTER INSERT ON documents REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION documents_count_tags();
CREATE TRIGGER documents_count_tags_updated AFTER UPDATE ON documents REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION documents_count_tags();
CREATE TRIGGER documents_count_tags_deleted AFTER DELETE ON documents REFERENCING OLD TABLE AS before FOR EACH STATEMENT EXECUTE FUNCTION documents_count_tags();

-- After the triggers: making them waited for every writer, and none comes before this is committed.
INSERT INTO document_tag_counts (tenant_id, tags, status, category_id, storage_id, deleted_at, delta)
SELECT tenant_id, ARRAY[tag], status, category_id, storage_id, CASE WHEN deleted_at IS NOT NULL THEN timestamptz 'infinity' END, count(*)
  FROM documents, LATERAL (SELECT DISTINCT unnest(tags) AS tag) AS own GROUP BY 1, 2, 3, 4, 5, 6;
