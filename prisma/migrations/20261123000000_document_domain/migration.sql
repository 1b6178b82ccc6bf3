-- Both extensions are "trusted": the owner of the database may create them without being a superuser.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS btree_gin;


-- CreateEnum
CREATE TYPE "storage_provider" AS ENUM ('LOCAL_FS', 'AWS_S3', 'GCP_STORAGE', 'AZURE_BLOB');

-- CreateEnum
CREATE TYPE "document_status" AS ENUM ('PENDING', 'APPROVED', 'REJECTED', 'INACTIVE');

-- CreateEnum
CREATE TYPE "file_state" AS ENUM ('UPLOADING', 'READY', 'QUARANTINED', 'DELETED');

-- CreateTable
CREATE TABLE "storages" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "name" TEXT NOT NULL,
    "provider" "storage_provider" NOT NULL,
    "bucket" TEXT NOT NULL,
    "config" JSONB NOT NULL DEFAULT '{}',
    "credentials" BYTEA NOT NULL,
    "credentials_masked" JSONB NOT NULL,
    "managed" BOOLEAN NOT NULL DEFAULT false,
    "is_default" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "storages_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "categories" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "parent_id" TEXT,

    CONSTRAINT "categories_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "documents" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "category_id" TEXT,
    "storage_id" TEXT NOT NULL,
    "tags" TEXT[],
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "status" "document_status" NOT NULL DEFAULT 'PENDING',
    "rejection_reason" TEXT,
    "reviewed_by" UUID,
    "reviewed_at" TIMESTAMPTZ(3),
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "documents_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "files" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "document_id" TEXT NOT NULL,
    "storage_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "content_type" TEXT NOT NULL DEFAULT 'application/octet-stream',
    "declared_type" TEXT NOT NULL,
    "size" BIGINT NOT NULL DEFAULT 0,
    "sha256" TEXT NOT NULL DEFAULT '',
    "state" "file_state" NOT NULL DEFAULT 'UPLOADING',
    "object_key" TEXT NOT NULL,
    "sweep_after" TIMESTAMPTZ(3),

    CONSTRAINT "files_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "shares" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "document_id" TEXT NOT NULL,
    "token_hash" BYTEA NOT NULL,
    "token" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_at" TIMESTAMPTZ(3),
    "label" TEXT NOT NULL DEFAULT '',
    "password_hash" TEXT,
    "allow_download" BOOLEAN NOT NULL DEFAULT true,
    "max_downloads" INTEGER,
    "download_count" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "shares_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "audit_events" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "subject_id" TEXT NOT NULL,
    "seq" INTEGER NOT NULL DEFAULT 0,
    "action" TEXT NOT NULL,
    "entity_type" TEXT NOT NULL,
    "entity_id" TEXT NOT NULL,
    "actor_id" UUID,
    "before" JSONB,
    "after" JSONB,
    "request_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "prev_hash" BYTEA,
    "hash" BYTEA,

    CONSTRAINT "audit_events_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "storages_tenant_id_created_at_id_idx" ON "storages"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "storages_tenant_id_updated_at_id_idx" ON "storages"("tenant_id", "updated_at", "id");

-- CreateIndex
CREATE INDEX "storages_tenant_id_name_id_idx" ON "storages"("tenant_id", "name", "id");

-- CreateIndex
CREATE UNIQUE INDEX "storages_one_default_per_tenant" ON "storages"("tenant_id") WHERE (is_default);

-- CreateIndex
CREATE INDEX "categories_tenant_id_parent_id_created_at_id_idx" ON "categories"("tenant_id", "parent_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "categories_tenant_id_created_at_id_idx" ON "categories"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "categories_tenant_id_updated_at_id_idx" ON "categories"("tenant_id", "updated_at", "id");

-- CreateIndex
CREATE INDEX "categories_tenant_id_name_id_idx" ON "categories"("tenant_id", "name", "id");

-- CreateIndex
CREATE INDEX "documents_by_created_at" ON "documents"("tenant_id", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_updated_at" ON "documents"("tenant_id", "updated_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_name" ON "documents"("tenant_id", "name", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_category" ON "documents"("tenant_id", "category_id", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_storage" ON "documents"("tenant_id", "storage_id", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_status" ON "documents"("tenant_id", "status", "created_at", "id") WHERE (deleted_at IS NULL);

-- CreateIndex
CREATE INDEX "documents_by_tag" ON "documents" USING GIN ("tenant_id" uuid_ops, "tags");

-- CreateIndex
CREATE INDEX "documents_by_name_trigram" ON "documents" USING GIN ("tenant_id" uuid_ops, "name" gin_trgm_ops);

-- CreateIndex
CREATE INDEX "documents_in_trash" ON "documents"("deleted_at") WHERE (deleted_at IS NOT NULL);

-- CreateIndex
CREATE INDEX "files_tenant_id_document_id_id_idx" ON "files"("tenant_id", "document_id", "id");

-- CreateIndex
CREATE INDEX "files_tenant_id_storage_id_idx" ON "files"("tenant_id", "storage_id");

-- CreateIndex
CREATE INDEX "files_to_sweep" ON "files"("sweep_after") WHERE (sweep_after IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "shares_by_token" ON "shares"("token_hash");

-- CreateIndex
CREATE INDEX "shares_tenant_id_document_id_created_at_id_idx" ON "shares"("tenant_id", "document_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "shares_tenant_id_created_at_id_idx" ON "shares"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "shares_tenant_id_updated_at_id_idx" ON "shares"("tenant_id", "updated_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "audit_events_tenant_id_subject_id_seq_key" ON "audit_events"("tenant_id", "subject_id", "seq");

-- AddForeignKey
ALTER TABLE "categories" ADD CONSTRAINT "categories_tenant_id_parent_id_fkey" FOREIGN KEY ("tenant_id", "parent_id") REFERENCES "categories"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "documents" ADD CONSTRAINT "documents_tenant_id_category_id_fkey" FOREIGN KEY ("tenant_id", "category_id") REFERENCES "categories"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "documents" ADD CONSTRAINT "documents_tenant_id_storage_id_fkey" FOREIGN KEY ("tenant_id", "storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_tenant_id_document_id_fkey" FOREIGN KEY ("tenant_id", "document_id") REFERENCES "documents"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_tenant_id_storage_id_fkey" FOREIGN KEY ("tenant_id", "storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "shares" ADD CONSTRAINT "shares_tenant_id_document_id_fkey" FOREIGN KEY ("tenant_id", "document_id") REFERENCES "documents"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;



-- What the schema language cannot say: the rules that hold whatever the program does.
ALTER TABLE "categories" ADD CONSTRAINT "categories_not_own_parent" CHECK (parent_id <> id);
ALTER TABLE "documents" ADD CONSTRAINT "documents_rejection_has_reason" CHECK (status <> 'REJECTED' OR rejection_reason IS NOT NULL);
ALTER TABLE "files" ADD CONSTRAINT "files_ready_has_digest" CHECK (state <> 'READY' OR sha256 ~ '^[0-9a-f]{64}$');
ALTER TABLE "files" ADD CONSTRAINT "files_size_not_negative" CHECK (size >= 0);
ALTER TABLE "shares" ADD CONSTRAINT "shares_within_budget" CHECK (download_count >= 0 AND max_downloads > 0);

-- Numbers an event within its subject and chains its hash to the one before. One writer per subject at a time.
CREATE FUNCTION audit_events_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last RECORD;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended(NEW.tenant_id::text || NEW.subject_id, 0));
  SELECT seq, hash INTO last FROM audit_events
   WHERE tenant_id = NEW.tenant_id AND subject_id = NEW.subject_id ORDER BY seq DESC LIMIT 1;
  NEW.seq := coalesce(last.seq, 0) + 1;
  NEW.prev_hash := last.hash;
  NEW.hash := audit_event_hash(NEW);
  RETURN NEW;
END $$;

-- The digest of an event: every column but the digest itself, as canonical JSON.
CREATE FUNCTION audit_event_hash(event audit_events) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(convert_to(jsonb_build_array(
    event.tenant_id, event.id, event.subject_id, event.seq, event.action, event.entity_type, event.entity_id, event.actor_id,
    event.before, event.after, event.request_id, extract(epoch FROM event.created_at), encode(event.prev_hash, 'hex'))::text, 'UTF8'))
$$;

CREATE TRIGGER audit_events_chain BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_chain();

CREATE FUNCTION audit_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit events are append-only';
END $$;

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_append_only();
