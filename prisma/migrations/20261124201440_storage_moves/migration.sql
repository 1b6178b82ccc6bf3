-- CreateEnum
CREATE TYPE "move_state" AS ENUM ('PENDING', 'DONE', 'FAILED', 'CANCELLED');

-- CreateTable
CREATE TABLE "storage_moves" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_by" UUID NOT NULL,
    "updated_by" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "to_storage_id" TEXT NOT NULL,

    CONSTRAINT "storage_moves_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "move_documents" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "move_id" TEXT NOT NULL,
    "document_id" TEXT NOT NULL,
    "state" "move_state" NOT NULL DEFAULT 'PENDING',
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "error" TEXT NOT NULL DEFAULT '',
    "files_moved" INTEGER NOT NULL DEFAULT 0,
    "bytes_moved" BIGINT NOT NULL DEFAULT 0,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "move_documents_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "object_removals" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "storage_id" TEXT NOT NULL,
    "object_key" TEXT NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "object_removals_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "storage_moves_tenant_id_created_at_id_idx" ON "storage_moves"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "storage_moves_tenant_id_updated_at_id_idx" ON "storage_moves"("tenant_id", "updated_at", "id");

-- CreateIndex
CREATE INDEX "move_documents_tenant_id_move_id_state_idx" ON "move_documents"("tenant_id", "move_id", "state");

-- CreateIndex
CREATE INDEX "move_documents_due" ON "move_documents"("due_at") WHERE (state = 'PENDING');

-- CreateIndex
CREATE UNIQUE INDEX "move_documents_one_move_at_a_time" ON "move_documents"("tenant_id", "document_id") WHERE (state = 'PENDING');

-- CreateIndex
CREATE INDEX "object_removals_tenant_id_storage_id_idx" ON "object_removals"("tenant_id", "storage_id");

-- CreateIndex
CREATE INDEX "object_removals_due" ON "object_removals"("due_at");

-- AddForeignKey
ALTER TABLE "storage_moves" ADD CONSTRAINT "storage_moves_tenant_id_to_storage_id_fkey" FOREIGN KEY ("tenant_id", "to_storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "move_documents" ADD CONSTRAINT "move_documents_tenant_id_move_id_fkey" FOREIGN KEY ("tenant_id", "move_id") REFERENCES "storage_moves"("tenant_id", "id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "object_removals" ADD CONSTRAINT "object_removals_tenant_id_storage_id_fkey" FOREIGN KEY ("tenant_id", "storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
