-- CreateEnum
CREATE TYPE "staged_upload_state" AS ENUM ('OPEN', 'DONE', 'CLOSED');

-- CreateTable
CREATE TABLE "staged_uploads" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "document_id" TEXT NOT NULL,
    "storage_id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "declared_type" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "sha256" TEXT NOT NULL DEFAULT '',
    "part_size" BIGINT NOT NULL,
    "staged_key" TEXT NOT NULL,
    "store_upload_id" TEXT,
    "state" "staged_upload_state" NOT NULL DEFAULT 'OPEN',
    "file_id" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "signed_until" TIMESTAMPTZ(3),
    "leased_until" TIMESTAMPTZ(3),
    "sweep_after" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "staged_uploads_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "staged_uploads_open" ON "staged_uploads"("tenant_id", "created_by") WHERE (state = 'OPEN');

-- CreateIndex
CREATE INDEX "staged_uploads_tenant_id_document_id_idx" ON "staged_uploads"("tenant_id", "document_id");

-- CreateIndex
CREATE INDEX "staged_uploads_tenant_id_storage_id_idx" ON "staged_uploads"("tenant_id", "storage_id");

-- CreateIndex
CREATE INDEX "staged_uploads_to_sweep" ON "staged_uploads"("sweep_after");

-- AddForeignKey
ALTER TABLE "staged_uploads" ADD CONSTRAINT "staged_uploads_tenant_id_document_id_fkey" FOREIGN KEY ("tenant_id", "document_id") REFERENCES "documents"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "staged_uploads" ADD CONSTRAINT "staged_uploads_tenant_id_storage_id_fkey" FOREIGN KEY ("tenant_id", "storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- A part is never empty; a file may be.
ALTER TABLE "staged_uploads" ADD CONSTRAINT "staged_uploads_sizes" CHECK (size >= 0 AND part_size > 0);
