-- CreateEnum
CREATE TYPE "render_failure" AS ENUM ('ENCRYPTED', 'BROKEN', 'TOO_LARGE', 'TIMED_OUT', 'CRASHED');

-- CreateTable
CREATE TABLE "previews" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "page_count" INTEGER,
    "failure" "render_failure",

    CONSTRAINT "previews_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "renditions" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "file_id" TEXT NOT NULL,
    "page" INTEGER NOT NULL,
    "width" INTEGER NOT NULL,
    "storage_id" TEXT NOT NULL,
    "object_key" TEXT NOT NULL,
    "stored" BOOLEAN NOT NULL DEFAULT false,
    "failure" "render_failure",

    CONSTRAINT "renditions_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "renditions_tenant_id_storage_id_idx" ON "renditions"("tenant_id", "storage_id");

-- CreateIndex
CREATE UNIQUE INDEX "renditions_tenant_id_file_id_page_width_key" ON "renditions"("tenant_id", "file_id", "page", "width");

-- AddForeignKey
ALTER TABLE "previews" ADD CONSTRAINT "previews_tenant_id_id_fkey" FOREIGN KEY ("tenant_id", "id") REFERENCES "files"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "renditions" ADD CONSTRAINT "renditions_tenant_id_file_id_fkey" FOREIGN KEY ("tenant_id", "file_id") REFERENCES "files"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "renditions" ADD CONSTRAINT "renditions_tenant_id_storage_id_fkey" FOREIGN KEY ("tenant_id", "storage_id") REFERENCES "storages"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
