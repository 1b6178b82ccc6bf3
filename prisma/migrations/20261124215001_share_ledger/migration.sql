-- CreateEnum
CREATE TYPE "share_access_kind" AS ENUM ('OPEN', 'PASSWORD', 'PREVIEW', 'DOWNLOAD', 'ZIP');

-- CreateEnum
CREATE TYPE "share_access_outcome" AS ENUM ('RUNNING', 'SUCCEEDED', 'FAILED', 'REFUSED');

-- AlterTable
ALTER TABLE "shares" ADD COLUMN "open_count" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN "last_opened_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "share_accesses" (
    "tenant_id" UUID NOT NULL,
    "id" TEXT NOT NULL,
    "share_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_at" TIMESTAMPTZ(3) NOT NULL,
    "kind" "share_access_kind" NOT NULL,
    "outcome" "share_access_outcome" NOT NULL,
    "reason" TEXT,
    "file_id" TEXT,
    "address" TEXT NOT NULL,
    "user_agent" TEXT NOT NULL,
    "visitor" BYTEA NOT NULL,
    "times" INTEGER NOT NULL DEFAULT 1,
    "charged" BOOLEAN NOT NULL DEFAULT false,
    "size" BIGINT NOT NULL DEFAULT 0,
    "granted" BIGINT NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "running" INTEGER NOT NULL DEFAULT 0,
    "finished" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),

    CONSTRAINT "share_accesses_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "share_attempts" (
    "tenant_id" UUID NOT NULL,
    "share_id" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "share_attempts_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "share_accesses_tenant_id_share_id_created_at_id_idx" ON "share_accesses"("tenant_id", "share_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "share_accesses_leased" ON "share_accesses"("lease_until") WHERE (lease_until IS NOT NULL);

-- CreateIndex
CREATE INDEX "share_attempts_tenant_id_share_id_idx" ON "share_attempts"("tenant_id", "share_id");

-- CreateIndex
CREATE INDEX "share_attempts_since_idx" ON "share_attempts"("since");

-- AddForeignKey
ALTER TABLE "share_accesses" ADD CONSTRAINT "share_accesses_tenant_id_share_id_fkey" FOREIGN KEY ("tenant_id", "share_id") REFERENCES "shares"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "share_attempts" ADD CONSTRAINT "share_attempts_tenant_id_share_id_fkey" FOREIGN KEY ("tenant_id", "share_id") REFERENCES "shares"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;
