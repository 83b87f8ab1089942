CREATE TYPE "mood" AS ENUM('sad', 'glad');
--> statement-breakpoint
CREATE TABLE "person" (
	"id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	"name" text NOT NULL,
	"mood" "mood" DEFAULT 'glad' NOT NULL,
	"since" timestamp with time zone,
	"extra" jsonb,
	CONSTRAINT "person_name_unique" UNIQUE("name")
);
--> statement-breakpoint
CREATE TABLE "note" (
	"id" serial PRIMARY KEY,
	"person_id" integer NOT NULL,
	"text" text NOT NULL,
	"tags" text[] DEFAULT '{}' NOT NULL
);
--> statement-breakpoint
ALTER TABLE "note" ADD CONSTRAINT "note_person_fk" FOREIGN KEY ("person_id")
	REFERENCES "person"("id") ON DELETE cascade;
