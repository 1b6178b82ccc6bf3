-- AlterTable
ALTER TABLE "staged_uploads" ADD COLUMN     "failure" TEXT,
ADD COLUMN     "failure_field" TEXT,
ADD COLUMN     "received" BIGINT,
ADD COLUMN     "tails" TEXT[] DEFAULT ARRAY[]::TEXT[];
