-- AlterTable
ALTER TABLE "object_removals" ADD COLUMN "given_up" BOOLEAN NOT NULL DEFAULT false;
