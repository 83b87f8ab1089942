ALTER TABLE "person" ADD COLUMN "balance" numeric(12, 2) DEFAULT '0' NOT NULL;
--> statement-breakpoint
CREATE INDEX "note_person_index" ON "note" USING btree ("person_id");
