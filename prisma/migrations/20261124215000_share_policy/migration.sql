-- AlterTable
ALTER TABLE "shares" ADD COLUMN "not_before" TIMESTAMPTZ(3),
ADD COLUMN "watermark" TEXT NOT NULL DEFAULT '',
ADD COLUMN "file_ids" TEXT[] DEFAULT ARRAY[]::TEXT[];

ALTER TABLE "shares" ALTER COLUMN "file_ids" SET NOT NULL;

-- What the schema language cannot say.
ALTER TABLE "shares" ADD CONSTRAINT "shares_open_before_they_expire" CHECK (not_before < expires_at);
